// What a script adds to every page; all works without. The markup for it: docs/interface.md.
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
// The event comes later than the closing: by then the dialog may hold the next page.
dlg.addEventListener('close', () => { if (!dlg.open) { dlg.replaceChildren(); opener?.focus(); } });
onClick('[data-template]', el => { dlg.replaceChildren($('#' + el.dataset.template).content.cloneNode(true)); syncDialog(); });
onClick('#dlg [data-close]', (el, e) => { e.preventDefault(); dlg.close(); });

// --- each second: toasts age (errors stay), count-downs run ---
setInterval(() => {
  $$('[data-toast]').forEach((el, i, all) => {
    if (el.dataset.kind !== 'bad' && !el.matches(':hover, :focus-within')) el.age = (el.age || 0) + 1;
    if (i < all.length - 3 || el.age > ($('form', el) ? 15 : 6)) el.remove();
  });
  $$('[data-countdown]').forEach(el => { if (el.textContent > 0) el.textContent--; else el.closest('.note').hidden = true; });
}, 1000);
onClick('[data-close-toast]', el => el.closest('.toast').remove());

// --- a pressed button turns busy and cannot be pressed twice ---
const busy = el => { if (el?.matches('button, .btn')) el.waits = setTimeout(() => { el.ariaBusy = 'true'; }, 150); };
const idle = el => { if (el?.waits) { clearTimeout(el.waits); el.waits = 0; el.ariaBusy = null; } };
on('click', e => { if (e.target.closest('button, .btn')?.waits) { e.preventDefault(); e.stopImmediatePropagation(); } }, true);
on('submit', e => { if (!e.defaultPrevented && e.target.method !== 'dialog') busy(e.submitter); });
addEventListener('pageshow', () => $$('button').forEach(idle));

// --- copy, close menus ---
onClick('[data-copy], [data-copy-from], [data-copy-url]', async (el, e) => {
  const from = el.dataset.copyFrom && $(el.dataset.copyFrom);
  if (el.href && !navigator.clipboard) return;
  e.preventDefault();
  const text = el.href ? fetch(el.href).then(answer => answer.ok ? answer.text() : Promise.reject(location = el.href)) : from ? from.value ?? from.textContent : el.dataset.copy;
  await navigator.clipboard.writeText(await text);
  say(words.copied);
  const use = $('use', el);
  use?.setAttribute('href', use.getAttribute('href').replace(/#.*/, '#check'));
});
on('click', e => $$('.menu[open]').forEach(el => { el.open = el.contains(e.target); }));

// --- selection of rows ---
const select = () => {
  const boxes = $$('[data-select]'), n = boxes.filter(b => b.checked).length, all = $('[data-select-all]'), match = $('[data-select-match]'), text = $('[data-bulk-count]');
  if (match && n < boxes.length) match.checked = false;
  if (all) { all.checked = n && n === boxes.length; all.indeterminate = n && n < boxes.length; }
  $('[data-bulk-bar]')?.classList.toggle('on', n);
  if (text) text.textContent = text.dataset[n === 1 ? 'one' : 'many'].replace('{}', match?.checked ? text.dataset.total : n);
};
const selectAll = checked => { $$('[data-select]').forEach(b => { b.checked = checked; }); select(); };
onClick('[data-bulk-clear]', () => selectAll(false));
on('change', ({target}) => {
  if (target.matches('[data-select-all], [data-select-match]')) selectAll(target.checked);
  if (target.matches('[data-select]')) select();
});

// --- keys; not in a field, not while an input method composes ---
let prefix = '';
on('keydown', e => {
  const mod = e.ctrlKey || e.metaKey, rows = $$('[data-row]'), row = e.target.closest('[data-row]');
  if (e.isComposing || e.altKey || dlg.open) return;
  if (e.key === 'Escape') { const menu = $('.menu[open]'); if (menu) { menu.open = false; $('summary', menu).focus(); } else selectAll(false); }
  if (!mod && (words.noKeys || e.target.matches('input:not([type=checkbox], [type=radio]), textarea, select'))) return;
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
on('htmx:finally:request', ({detail: {ctx}}) => { if (!ctx.hx?.redirect) [ctx.request.submitter, ctx.sourceElement].forEach(idle); });
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
let held;
on('htmx:before:swap', () => { held = doc.activeElement; });
on('htmx:after:swap', () => {
  select();
  syncDialog();
  const to = $('main [data-focus]') || held !== doc.body && $('main h1');
  if (to && doc.activeElement === doc.body) { to.tabIndex = -1; to.focus(); }
});
select();

export {$, $$, doc, idle, lose, on, onClick, words};
