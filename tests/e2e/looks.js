// What a person would stumble over on the page as it stands, in words; run by test_screens.py with the least size of a
// target in pixels. Where a dialog or a menu is open, only that is there.
least => {
  const wide = document.documentElement.clientWidth, found = [];
  const root = document.querySelector('dialog[open]') || document.querySelector('.menu[open] > .menu-list, :popover-open') || document;
  const CONTROLS = 'a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary';
  const name = el => `<${el.localName} class="${el.className}"> ${(el.ariaLabel || el.textContent || el.name || '').trim().replace(/\s+/g, ' ').slice(0, 40)}`;
  const ups = function* (el) { for (let up = el; up; up = up.parentElement) yield up; };
  const isSeen = el => el.checkVisibility({visibilityProperty: true, opacityProperty: true}) && el.getBoundingClientRect().width > 1 && ![...ups(el)].some(up => getComputedStyle(up).clipPath !== 'none');
  const scrolls = el => [...ups(el.parentElement)].some(up => /auto|scroll/.test(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth);
  const textSpan = el => {
    const walker = document.createTreeWalker(el, NodeFilter.SHOW_TEXT), range = document.createRange(), boxes = [];
    while (walker.nextNode()) if (isSeen(walker.currentNode.parentElement)) { range.selectNodeContents(walker.currentNode); boxes.push(...range.getClientRects()); }
    return boxes.length ? [Math.min(...boxes.map(b => b.left)), Math.max(...boxes.map(b => b.right))] : null;
  };
  // What lies under a toast is there again when that goes.
  const controlAt = (x, y) => {
    const stack = document.elementsFromPoint(x, y), at = stack.find(each => !each.closest('.corner')) || stack[0];
    return at && (at.closest(CONTROLS) || at.closest('label')?.control || null);
  };
  if (document.documentElement.scrollWidth > wide) found.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} > ${wide}`);
  for (const el of root.querySelectorAll(`${CONTROLS}, .badge, .tile, h1, h2, th`)) {
    if (!isSeen(el) || el.closest('svg')) continue;
    const box = el.getBoundingClientRect(), style = getComputedStyle(el);
    if ((box.left < -1 || box.right > wide + 1) && (!scrolls(el) || el.closest('.tabs'))) found.push(`outside the page: ${name(el)}`);
    const span = style.display === 'inline' || style.overflowX !== 'visible' ? null : textSpan(el);
    if (span && (span[0] < box.left - 1 || span[1] > box.right + 1)) found.push(`its text runs out of it: ${name(el)}`);
    // Links in running text and titles are as high as their line.
    if (!el.matches(CONTROLS) || el.matches('.skip, .skeleton a, .entry-title, :is(p, dd, td, td strong, .row-text, .crumbs li) > a:not([class])')) continue;
    el.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
    const {left, top, width, height} = el.getBoundingClientRect(), x = left + width / 2, y = top + height / 2, half = least / 2 - 1;
    const isCovered = !el.closest('.corner') && controlAt(x, y) !== el;
    const isLow = !el.closest('.corner') && height < least && ![y - half, y + half].every(at => controlAt(x, at) === el);
    const isNarrow = width < least && ![x - half, x + half].every(at => [el, null].includes(controlAt(at, y)));
    if (isCovered) found.push(`covered: ${name(el)}`);
    else if (isLow || isNarrow) found.push(`smaller than ${least} px: ${name(el)} ${Math.round(width)}×${Math.round(height)}`);
  }
  return found;
}
