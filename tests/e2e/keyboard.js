// For test_keyboard.py. `reachable`: the controls that Tab should come to, by number. `focused`: the number of the one that
// has the focus, and what is wrong with it.
ask => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  if (ask === 'reachable') return all.flatMap((el, n) => {
    // Of the radio buttons of one choice, Tab comes to one.
    const choice = el.type === 'radio' ? [...el.form.elements[el.name]] : [el];
    const isOther = el !== (choice.find(each => each.type === 'radio' && each.checked) || choice[0]);
    const isSeen = el.checkVisibility({visibilityProperty: true}) && el.getBoundingClientRect().width > 0;
    return isSeen && !el.disabled && el.tabIndex >= 0 && !isOther ? [[n, el.outerHTML.slice(0, 120)]] : [];
  });
  const el = document.activeElement, inChart = el.closest('svg a'), shown = el.closest('.tag-box, .seg label, .drop') || el;
  const isMarked = [el, shown, shown.querySelector('span') || el].map(each => getComputedStyle(each))
    .some(style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
  const area = (inChart ? el.querySelector('rect') : shown).getBoundingClientRect();
  const isSeen = [.1, .5, .9].some(x => [.1, .5, .9].some(y => {
    const at = document.elementFromPoint(area.left + area.width * x, area.top + area.height * y);
    return at && (shown.contains(at) || at.matches('label') && at.control === el);
  }));
  const wrong = [isMarked || inChart ? [] : 'not marked', isSeen ? [] : 'not seen'].flat();
  return [all.indexOf(el), wrong.map(each => `${each}: ${el.outerHTML.slice(0, 120)}`)];
}
