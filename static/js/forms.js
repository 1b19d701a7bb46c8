// What forms gain from a script: counters, tags, picks, passwords, the text kept in this browser, upload by bytes.
import {$, $$, doc, idle, lose, on, onClick, words} from './app.js';

const setValue = (field, value) => {
  if (typeof value === 'boolean') field.checked = value; else field.value = value;
  field.dispatchEvent(new Event('input', {bubbles: true}));
};

// --- show a password, pick an emoji ---
onClick('[data-show]', el => {
  const field = $('#' + el.dataset.show), shown = field.type === 'text';
  el.other ??= words.hide;
  [el.textContent, el.other] = [el.other, el.textContent];
  field.type = shown ? 'password' : 'text';
  el.ariaPressed = !shown;
});
onClick('[data-pick]', el => { setValue($('#' + el.dataset.for), el.dataset.pick); el.parentNode.hidePopover(); });
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
const TAG = /\s*(?:"((?:[^"]|"")*)"\s*(?=[,，]|$)|([^,，]*))(?:[,，]|$)/g;
const split = text => [...new Set([...text.matchAll(TAG)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain.trim()).filter(Boolean))];
const quote = tag => /[,，"]|^\s|\s$/.test(tag) ? `"${tag.replaceAll('"', '""')}"` : tag;
const join = tags => [...new Set(tags)].map(quote).join(', ');
const enhanceTags = field => {
  const box = doc.createElement('div'), entry = doc.createElement('input');
  field.tags = () => split(field.value);
  const put = tags => { setValue(field, join(tags)); entry.focus(); };
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
onClick('[data-tag]', el => { const field = $('#' + el.parentNode.dataset.suggestions); setValue(field, join([...field.tags(), el.dataset.tag])); el.remove(); });

// --- a search waits until the input method has written the word ---
on('input', e => { if (e.isComposing && e.target.matches('[data-composing]')) e.stopPropagation(); }, true);
on('compositionend', ({target}) => { if (target.matches('[data-composing]')) setValue(target, target.value); });

// --- save bar, and the text kept in this browser under draft:ID (data-draft is ID@VERSION) ---
const valueOf = field => field.type === 'checkbox' ? field.checked : field.value;
const fields = form => [...form.elements].filter(f => f.id && f.name && !f.matches('button, [type=hidden], [type=file]'));
const states = new WeakMap(), state = form => states.get(form) || {}; // not on the form: a control named "version" would hide it
const track = bar => {
  const form = bar.closest('form'), [, id, version] = bar.dataset.draft.match(/(.*)@(.*)/), key = 'draft:' + id, before = state(form).version;
  if (before === version) return;
  const kept = JSON.parse(localStorage[key] || 'null'), note = $('[data-draft-note]', form);
  const isSaved = before !== undefined || kept?.sent && kept.version !== version;
  states.set(form, {version, key, base: new Map(fields(form).map(f => [f, valueOf(f)])), dirty: 'dirty' in bar.dataset});
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
on('htmx:finally:request', ({detail: {ctx}}) => { if (!ctx.hx?.redirect) state(ctx.sourceElement).leaves = false; });

// --- upload with progress by bytes ---
on('change', ({target}) => { if (target.type === 'file') $('[data-file-name]', target.parentNode).textContent = target.files[0]?.name; });
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
};
on('htmx:after:swap', enhance);
enhance();
