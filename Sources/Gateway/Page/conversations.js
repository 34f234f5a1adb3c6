// Conversations stay in this browser: one entry of its local storage each, so that two tabs do not overwrite each other.

const PREFIX = "phalanx.conversation.";
const MOST = 50;
/** The most UTF-16 units of one conversation that are kept. */
const LONGEST = 400_000;

/** All of them, the latest first. */
export function list() {
  return Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => read(key))
    .filter((conversation) => conversation !== null)
    .sort((left, right) => right.updated - left.updated);
}

/** A new one, which is not kept before it has a message. */
export function begin() {
  return { id: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`, updated: Date.now(), messages: [] };
}

/** What it is called in the list: its first words. */
export function title(conversation) {
  const text = conversation.messages.find((message) => message.role === "user")?.content.trim() ?? "";
  const words = text.replace(/\s+/g, " ");
  return words.length > 60 ? `${words.slice(0, 59)}…` : words || "New conversation";
}

/**
 * Keeps it; the oldest others make room.
 * @returns {boolean} whether there was room
 */
export function keep(conversation) {
  const text = JSON.stringify({ ...conversation, updated: Date.now() });
  if (text.length > LONGEST) return false;
  const others = list().filter((other) => other.id !== conversation.id);
  for (const other of others.splice(MOST - 1)) remove(other.id);
  for (;;) {
    try {
      localStorage.setItem(PREFIX + conversation.id, text);
      return true;
    } catch {
      const oldest = others.pop();
      if (!oldest) return false;
      remove(oldest.id);
    }
  }
}

export function remove(id) {
  localStorage.removeItem(PREFIX + id);
}

export function clear() {
  for (const { id } of list()) remove(id);
}

/** Calls `changed` when another tab changes something. */
export function watch(changed) {
  addEventListener("storage", (event) => {
    if (event.key === null || event.key.startsWith(PREFIX)) changed();
  });
}

/** What lies there may be of another version, or damaged: then it is none. */
function read(key) {
  try {
    const { id, updated, messages } = JSON.parse(localStorage.getItem(key));
    const isSound =
      key === PREFIX + id &&
      Number.isFinite(updated) &&
      Array.isArray(messages) &&
      messages.every(({ role, content }) => ["user", "assistant"].includes(role) && typeof content === "string");
    return isSound ? { id, updated, messages } : null;
  } catch {
    return null;
  }
}
