// Runs before the scripts of each page: `ran` is what the hostile texts call, `hostileFound` what a test asks for.
window.hostile = [];
window.ran = what => window.hostile.push(`ran: ${what}`);
for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => window.hostile.push('dialog');
document.addEventListener('securitypolicyviolation', event => {
  window.hostile.push(`policy: ${event.violatedDirective} ${event.blockedURI}`);
});
// Elements that none of our pages has.
const FOREIGN = [
  'script:not([src])', 'style', 'iframe', 'object', 'embed', 'base', 'math', 'meta[http-equiv=refresh]',
  'img:not([src^="/static/"])', 'form[action*=evil]', '[hx-get="/hostile"]', '[title^="-->"]', 'textarea textarea',
].join(', ');
const LEADING = new Set(['href', 'src', 'action', 'formaction', 'xlink:href']);
window.hostileFound = () => {
  const isHandler = ({name}) => /^on|^hx-on/.test(name);
  const isScript = ({name, value}) => LEADING.has(name) && /^\s*(javascript|data):/i.test(value);
  const attributes = [...document.querySelectorAll('*')].flatMap(node => [...node.attributes]);
  return [
    ...window.hostile,
    ...[...document.querySelectorAll(FOREIGN)].map(node => node.outerHTML.slice(0, 200)),
    ...attributes.filter(each => isHandler(each) || isScript(each)).map(each => `${each.name}=${each.value.slice(0, 100)}`),
  ];
};
