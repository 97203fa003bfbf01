// Talking to the service. Addresses are relative, so that the page also works below a proxy's path.
import { $ } from "./dom.js";

const KEY = "aiac-key";

function headers(more) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: "Bearer " + key } : more;
}

// The response, or an Error whose message is the problem's sentence.
export async function request(path, { body, signal, ...more } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST", body, signal, cache: "no-store",
      headers: headers(body === undefined ? more : { "Content-Type": "application/json", ...more }),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer.");
  }
  if (response.ok) return response;
  if (response.status === 401) askForKey();
  const problem = await response.json().catch(() => ({ title: response.statusText, detail: "" }));
  throw new Error(`${problem.title} (${response.status}). ${problem.detail}`);
}

export const json = async (path, options) => (await request(path, options)).json();

function askForKey() {
  $("key-form").hidden = false;
}

export function installKey(retry) {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, $("key").value.trim());
    $("key").value = "";
    $("key-form").hidden = true;
    retry();
  });
}

// Server-sent events by fetch, since an EventSource cannot send the key. Yields {id, event, data}; ends with the stream.
export async function* events(path, seen, signal) {
  const response = await request(path, { signal, ...(seen ? { "Last-Event-ID": seen } : {}) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const message = {};
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (message.data) yield { ...message, data: JSON.parse(message.data) };
    }
  }
}
