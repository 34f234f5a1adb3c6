// Elements from data. Text goes in as text nodes only: nothing that a model or a worker says can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 * @param {string} name the tag
 * @param {object} attributes `class`, `hidden` and so on; a function under `onclick` (or another event) listens
 * @param {...(Node|string|null)} children
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
export function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byID = (id) => document.getElementById(id);

/** Sets the text only when it changes, so that screen readers and layout are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Lets `parent` hold exactly the nodes that `make` keeps for the items, in their order. Nodes live as long as their
 * key, so that focus and selection survive an update.
 * @param {Map} nodes key to { node, update }; kept by the caller between calls
 */
export function reconcile(parent, nodes, items, key, make) {
  const wanted = new Set();
  let position = parent.firstChild;
  for (const item of items) {
    const name = key(item);
    if (wanted.has(name)) continue;
    wanted.add(name);
    if (!nodes.has(name)) nodes.set(name, make(item));
    const entry = nodes.get(name);
    entry.update(item);
    if (entry.node === position) position = position.nextSibling;
    else parent.insertBefore(entry.node, position);
  }
  for (const [name, entry] of nodes) {
    if (wanted.has(name)) continue;
    entry.node.remove();
    nodes.delete(name);
  }
}
