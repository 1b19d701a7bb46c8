// What a page gains from a script; every flow works without. The markup that switches each part on: docs/interface.md.
const doc = document;
const $ = (selector, root = doc) => root.querySelector(selector);
const $$ = (selector, root = doc) => [...root.querySelectorAll(selector)];
const on = (type, handler, capture) => doc.addEventListener(type, handler, capture);
const onClick = (selector, handler) => on('click', e => {
  const el = e.target.closest(selector);
  if (el) handler(el, e);
});
const dlg = $('#dlg'), offline = $('#offline'), words = $('#words').dataset;
const say = text => { $('#live').textContent = text; };
const setValue = (field, value) => {
  if (typeof value === 'boolean') field.checked = value; else field.value = value;
  field.dispatchEvent(new Event('input', {bubbles: true}));
};

// --- dialog: whatever filled it, focus goes back to its opener ---
let opener;
const syncDialog = () => {
  if (!dlg.childElementCount) dlg.close();
  else if (!dlg.open) {
    opener = doc.activeElement;
    dlg.showModal();
    $('[autofocus], [data-focus], h1, h2', dlg)?.focus();
  }
};
dlg.addEventListener('close', () => { dlg.replaceChildren(); opener?.focus(); });
onClick('[data-template]', el => { dlg.replaceChildren($('#' + el.dataset.template).content.cloneNode(true)); syncDialog(); });
onClick('#dlg [data-close]', (el, e) => { e.preventDefault(); dlg.close(); });

// --- each second: toasts age (6 s, 15 s with Undo, errors stay), count-downs run ---
setInterval(() => {
  $$('[data-toast]').forEach((el, i, all) => {
    if (el.dataset.kind !== 'bad' && !el.matches(':hover, :focus-within')) el.age = (el.age || 0) + 1;
    if (i < all.length - 3 || el.age > ($('form', el) ? 15 : 6)) el.remove();
  });
  $$('[data-countdown]').forEach(el => { if (el.textContent > 0) el.textContent--; else el.closest('.note').hidden = true; });
}, 1000);
onClick('[data-close-toast]', el => el.closest('.toast').remove());

// --- a pressed button turns busy after 150 ms and cannot be pressed twice ---
const busy = el => { if (el?.matches('button, .btn')) el.waits = setTimeout(() => { el.ariaBusy = 'true'; }, 150); };
const idle = el => { if (el?.waits) { clearTimeout(el.waits); el.waits = 0; el.ariaBusy = null; } };
on('click', e => { if (e.target.closest('button, .btn')?.waits) { e.preventDefault(); e.stopImmediatePropagation(); } }, true);
on('submit', e => { if (!e.defaultPrevented && e.target.method !== 'dialog') busy(e.submitter); });
addEventListener('pageshow', () => $$('button').forEach(idle));

// --- copy, show a password, pick an emoji, close menus ---
onClick('[data-copy], [data-copy-from]', async el => {
  const from = el.dataset.copyFrom && $(el.dataset.copyFrom);
  await navigator.clipboard.writeText(from ? from.value ?? from.textContent : el.dataset.copy);
  say(words.copied);
  const use = $('use', el);
  use?.setAttribute('href', use.getAttribute('href').replace(/#.*/, '#check'));
});
onClick('[data-show]', el => {
  const field = $('#' + el.dataset.show), shown = field.type === 'text';
  el.other ??= words.hide;
  [el.textContent, el.other] = [el.other, el.textContent];
  field.type = shown ? 'password' : 'text';
  el.ariaPressed = !shown;
});
onClick('[data-pick]', el => { setValue($('#' + el.dataset.for), el.dataset.pick); el.parentNode.hidePopover(); });
on('click', e => $$('.menu[open]').forEach(el => { el.open = el.contains(e.target); }));

// --- counters in characters as people count them (as the server: exact up to 50,000) ---
const segmenter = new Intl.Segmenter();
const length = text => /^[\0-\x7f]*$/.test(text) || text.length > 5e4 ? text.length : [...segmenter.segment(text)].length;
const count = field => {
  const el = $$('[data-counter]').find(c => c.dataset.counter === field.id), limit = el?.dataset.limit;
  if (!el) return;
  const n = field.tags ? field.tags().length : length(field.value);
  $('[data-count]', el).textContent = n.toLocaleString('en');
  el.classList.toggle('over', n > limit);
  el.classList.toggle('near', n >= limit * .9 && n <= limit);
};

// --- tags: chips over a plain comma field, which stays the one that is sent ---
const split = text => [...new Set(text.split(/[,，]/).map(tag => tag.trim()).filter(Boolean))];
const enhanceTags = field => {
  const box = doc.createElement('div'), entry = doc.createElement('input');
  field.tags = () => split(field.value);
  const put = tags => { setValue(field, tags.join(', ')); entry.focus(); };
  const take = () => { const tags = split(entry.value); entry.value = ''; if (tags.length) put([...field.tags(), ...tags]); };
  const draw = () => {
    $$('.tag', box).forEach(chip => chip.remove());
    for (const tag of field.tags()) {
      const chip = doc.createElement('span'), x = doc.createElement('button');
      Object.assign(x, {type: 'button', textContent: '×', ariaLabel: words.remove.replace('{}', tag), onclick: () => put(field.tags().filter(t => t !== tag))});
      chip.className = 'tag';
      chip.append(tag, x);
      entry.before(chip);
    }
  };
  entry.placeholder = field.dataset.placeholder;
  entry.ariaLabel = field.labels[0]?.textContent;
  entry.onchange = take;
  entry.oninput = e => { if (!e.isComposing && /[,，]/.test(entry.value)) take(); };
  entry.onkeydown = e => {
    if (e.isComposing) return;
    if (e.key === 'Enter') { e.preventDefault(); take(); }
    if (e.key === 'Backspace' && !entry.value) put(field.tags().slice(0, -1));
  };
  box.className = 'tag-box';
  box.append(entry);
  field.after(box);
  field.hidden = true;
  field.addEventListener('input', draw);
  draw();
};
onClick('[data-tag]', el => { const field = $('#' + el.parentNode.dataset.suggestions); setValue(field, [...field.tags(), el.dataset.tag].join(', ')); });

// --- save bar, and the text kept in this browser under draft:ID (data-draft is ID@VERSION) ---
const valueOf = field => field.type === 'checkbox' ? field.checked : field.value;
const fields = form => [...form.elements].filter(f => f.id && f.name && !f.matches('button, [type=hidden], [type=file]'));
const states = new WeakMap(), state = form => states.get(form) || {}; // not on the form: a control named "version" would hide it
const track = bar => {
  const form = bar.closest('form'), [, id, version] = bar.dataset.draft.match(/(.*)@(.*)/), key = 'draft:' + id, before = state(form).version;
  if (before === version) return;
  const kept = JSON.parse(localStorage[key] || 'null'), note = $('[data-draft-note]', form);
  const isSaved = before !== undefined || kept?.sent && kept.version !== version;
  states.set(form, {version, key, base: new Map(fields(form).map(f => [f, valueOf(f)])), dirty: bar.matches('.on')});
  if (isSaved || !kept) return localStorage.removeItem(key);
  const differ = fields(form).filter(f => f.id in kept.values && kept.values[f.id] !== valueOf(f));
  if (!note || !differ.length) return;
  $('time', note).textContent = new Date(kept.at).toLocaleString(doc.documentElement.lang, {dateStyle: 'medium', timeStyle: 'short'});
  note.hidden = false;
  $('[data-draft-restore]', note).onclick = () => { note.hidden = true; differ.forEach(f => setValue(f, kept.values[f.id])); };
  $('[data-draft-discard]', note).onclick = () => { note.hidden = true; localStorage.removeItem(key); };
};
const keep = form => {
  const own = state(form), bar = $('[data-save-bar]', form), changed = fields(form).filter(f => own.base.get(f) !== valueOf(f));
  own.dirty = changed.length > 0;
  bar.classList.toggle('on', own.dirty);
  $('[data-changed]', bar).textContent = changed.map(f => ' · ' + (f.dataset.label || f.labels[0]?.textContent || '').trim()).join('');
  clearTimeout(own.timer);
  own.timer = setTimeout(() => {
    const values = Object.fromEntries(changed.map(f => [f.id, valueOf(f)]));
    if (own.dirty) localStorage[own.key] = JSON.stringify({version: own.version, at: Date.now(), values}); else localStorage.removeItem(own.key);
  }, 300);
};
on('input', ({target}) => { if (target.id) count(target); if (state(target.form).key) keep(target.form); });
on('submit', ({target: form}) => {
  if (form.matches('[data-sign-out]')) Object.keys(localStorage).forEach(k => { if (k.startsWith('draft:')) localStorage.removeItem(k); });
  const own = state(form), kept = localStorage[own.key];
  own.leaves = true;
  if (kept) localStorage[own.key] = JSON.stringify({...JSON.parse(kept), sent: true});
});
onClick('[data-discard]', el => { const own = state(el.closest('form')); own.leaves = true; localStorage.removeItem(own.key); });
addEventListener('beforeunload', e => { if ($$('form').some(f => state(f).dirty && !state(f).leaves)) e.preventDefault(); });

// --- selection of rows ---
const select = () => {
  const boxes = $$('[data-select]'), n = boxes.filter(b => b.checked).length, all = $('[data-select-all]'), text = $('[data-bulk-count]');
  if (all) { all.checked = n && n === boxes.length; all.indeterminate = n && n < boxes.length; }
  $('[data-bulk-bar]')?.classList.toggle('on', n);
  if (text) text.textContent = text.dataset[n === 1 ? 'one' : 'many'].replace('{}', n);
};
const selectAll = checked => { $$('[data-select]').forEach(b => { b.checked = checked; }); select(); };
onClick('[data-bulk-clear]', () => selectAll(false));
on('change', ({target}) => {
  if (target.matches('[data-select-all]')) selectAll(target.checked);
  if (target.matches('[data-select]')) select();
  if (target.type === 'file') $('[data-file-name]', target.parentNode).textContent = target.files[0]?.name;
});

// --- keys; never in a field, never while an input method composes ---
let prefix = '';
on('keydown', e => {
  const mod = e.ctrlKey || e.metaKey, rows = $$('[data-row]'), row = e.target.closest('[data-row]');
  if (e.isComposing || e.altKey || dlg.open) return;
  if (e.key === 'Escape') { const menu = $('.menu[open]'); if (menu) { menu.open = false; $('summary', menu).focus(); } else selectAll(false); }
  if (!mod && e.target.matches('input:not([type=checkbox], [type=radio]), textarea, select')) return;
  const key = (mod ? 'mod+' : prefix) + e.key.toLowerCase();
  prefix = key === 'g' ? 'g ' : '';
  if (key === 'j' || key === 'k') $('a', rows[rows.indexOf(row) + (key === 'j' ? 1 : -1)] || row)?.focus();
  if (key === 'x' && row) $('[data-select]', row)?.click();
  const el = $$('[data-key]').find(k => k.dataset.key === key && (k.dataset.template || k.checkVisibility()));
  if (el) { e.preventDefault(); if (el.matches('input')) el.focus(); else el.click(); }
});

// --- htmx: session gone, lost connection, polling only while seen, focus after a swap ---
let lost;
const resend = () => { const {sourceElement: el, sourceEvent: e} = lost; if (el.matches('form')) el.requestSubmit(e?.submitter); else htmx.trigger(el, e.type); };
const isPoll = e => e.detail.ctx?.sourceElement.matches('[data-poll]');
const lose = ctx => { lost = ctx; offline.hidden = false; };
on('htmx:before:request', e => { const {ctx} = e.detail; if (isPoll(e) && doc.hidden) e.preventDefault(); else busy(ctx.request.submitter || ctx.sourceElement); });
on('htmx:finally:request', ({detail: {ctx}}) => { if (ctx.hx?.redirect) return; state(ctx.sourceElement).leaves = false; [ctx.request.submitter, ctx.sourceElement].forEach(idle); });
on('htmx:response:error', e => { if (e.detail.ctx.response.status === 401 && !dlg.open) lost = e.detail.ctx; });
on('htmx:error', e => { if (e.detail.ctx && !isPoll(e)) lose(e.detail.ctx); });
on('htmx:after:request', () => { offline.hidden = true; });
on('signed-in', e => {
  doc.body.setAttribute('hx-headers:inherited', JSON.stringify({'X-CSRFToken': e.detail.csrf}));
  $$('[name=csrf_token]').forEach(f => { f.value = e.detail.csrf; });
  dlg.close();
  if (lost) resend();
});
onClick('[data-retry]', () => { offline.hidden = true; resend(); });
on('visibilitychange', () => { if (!doc.hidden) $$('[data-poll]').forEach(el => htmx.trigger(el, 'poll')); });
on('htmx:after:swap', () => {
  enhance();
  syncDialog();
  if (doc.activeElement === doc.body) $('main [data-focus], main h1')?.focus();
});

// --- upload with progress by bytes ---
on('submit', e => {
  const form = e.target, box = $('[data-upload-progress]', form), request = new XMLHttpRequest();
  if (!form.matches('[data-upload]')) return;
  e.preventDefault();
  box.hidden = false;
  request.open('POST', form.action);
  for (const [name, value] of [['HX-Request', 'true'], ['HX-Request-Type', 'partial'], ['X-CSRFToken', form.csrf_token.value]]) request.setRequestHeader(name, value);
  request.upload.onprogress = ({loaded, total}) => {
    $('progress', box).value = loaded / total;
    $('[data-upload-text]', box).textContent = `${(loaded / 1e6).toFixed(1)} / ${(total / 1e6).toFixed(1)} MB`;
  };
  request.onloadend = () => { box.hidden = true; idle(e.submitter); };
  request.onerror = () => lose({sourceElement: form});
  request.onload = () => {
    const to = request.getResponseHeader('HX-Redirect');
    if (to) location = to; else htmx.swap({text: request.responseText, target: form.dataset.upload, swap: 'outerHTML', sourceElement: form});
  };
  $('[data-upload-cancel]', box).onclick = () => request.abort();
  request.send(new FormData(form));
});

const enhance = () => {
  $$('[data-tags]').forEach(field => { if (!field.tags) enhanceTags(field); });
  $$('[data-save-bar]').forEach(track);
  $$('[data-timezone]').forEach(field => { if (!field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone; });
  select();
};
enhance();
