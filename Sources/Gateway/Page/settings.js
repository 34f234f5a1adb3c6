// What requests are sent with, how the page looks, and the key.

import { apiKey } from "./api.js";
import { byID, setText } from "./dom.js";

const STORE = "phalanx.parameters";
const THEME = "phalanx.theme";

/** The fields of the form: parameter of the API, and how its text becomes a value. */
const FIELDS = [
  { id: "temperature", parameter: "temperature", read: Number },
  { id: "top-p", parameter: "top_p", read: Number },
  { id: "max-tokens", parameter: "max_tokens", read: Number },
  { id: "seed", parameter: "seed", read: Number },
];

/** The parameters that are set, as the API names them; null when one is wrong, which is then shown. */
export function parameters() {
  const values = {};
  for (const { id, parameter, read } of FIELDS) {
    const field = byID(id);
    if (!field.checkValidity()) {
      byID("parameters").open = true;
      field.reportValidity();
      return null;
    }
    if (field.value !== "") values[parameter] = read(field.value);
  }
  return values;
}

/** What the model is told before the talk. */
export const systemPrompt = () => byID("system-prompt").value.trim();

/** Fills the form with what was kept, and keeps what is changed. */
export function setUp() {
  const inputs = [...FIELDS.map(({ id }) => byID(id)), byID("system-prompt")];
  const kept = load();
  for (const input of inputs) {
    if (typeof kept[input.id] === "string") input.value = kept[input.id];
    input.addEventListener("input", () => {
      localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(inputs.map(({ id, value }) => [id, value]))));
      summarise();
    });
  }
  byID("reset-parameters").addEventListener("click", () => {
    for (const input of inputs) input.value = "";
    localStorage.removeItem(STORE);
    summarise();
    inputs[0].focus();
  });
  const key = byID("api-key");
  key.value = apiKey.get();
  key.addEventListener("input", () => apiKey.set(key.value.trim()));
  setUpTheme();
  summarise();
}

/** Leads to the field for the key. */
export function askForKey() {
  byID("parameters").open = true;
  byID("api-key").focus();
}

function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

/** Beside the closed form: what is not as the gateway would have it. */
function summarise() {
  const set = FIELDS.filter(({ id }) => byID(id).value !== "").map(({ id, parameter }) => `${parameter} ${byID(id).value}`);
  if (systemPrompt()) set.push("system prompt");
  setText(byID("parameter-summary"), set.length > 0 ? set.join(" · ") : "the gateway's defaults");
}

function setUpTheme() {
  const choice = byID("theme");
  choice.value = document.documentElement.dataset.theme ?? "system";
  choice.addEventListener("change", () => {
    if (choice.value === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(THEME);
    } else {
      document.documentElement.dataset.theme = choice.value;
      localStorage.setItem(THEME, choice.value);
    }
  });
}
