// The gateway, as this page sees it. Addresses are relative: the page may lie below a proxy's prefix.

const KEY = "phalanx.key";

/** The API key lives as long as the tab. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (key) => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY)),
};

/** A refusal of the gateway, with what it said. */
export class GatewayError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function headers(more = {}) {
  const key = apiKey.get();
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function accepted(response) {
  if (response.ok) return response;
  let message = `The gateway answered with HTTP status ${response.status}.`;
  try {
    message = (await response.json()).error.message ?? message;
  } catch {
    // Not the gateway's own words: a proxy in between, say.
  }
  throw new GatewayError(response.status, message);
}

/** The cluster (`GET /status`). */
export async function clusterStatus(signal) {
  return (await accepted(await fetch("status", { headers: headers(), cache: "no-store", signal }))).json();
}

/**
 * Asks for an answer and yields the chunks of its stream (`POST /v1/chat/completions`).
 * @param {AbortSignal} signal ends the request, and with it the computation
 */
export async function* streamChat(body, signal) {
  const response = await accepted(
    await fetch("v1/chat/completions", {
      method: "POST",
      headers: headers({ "Content-Type": "application/json" }),
      body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
      signal,
    }),
  );
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new GatewayError(200, chunk.error.message ?? "The answer broke off.");
    yield chunk;
  }
  throw new GatewayError(200, "The connection ended before the answer did.");
}

/** The data of server-sent events, one string per event. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const full of lines) {
        const line = full.endsWith("\r") ? full.slice(0, -1) : full;
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (line === "" && data.length > 0) {
          yield data.join("\n");
          data = [];
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
