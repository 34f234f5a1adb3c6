// The page: puts its parts together.

import { Chat } from "./chat.js";
import { ClusterPanel } from "./cluster.js";
import { byID } from "./dom.js";
import * as settings from "./settings.js";

// On narrow screens one part at a time is shown.
const views = [...document.querySelectorAll("[data-show]")];
function show(view) {
  document.body.dataset.view = view;
  for (const button of views) button.setAttribute("aria-pressed", String(button.dataset.show === view));
}
for (const button of views) button.addEventListener("click", () => show(button.dataset.show));

settings.setUp();
const chat = new Chat(() => show("chat"));
byID("prompt").focus();
new ClusterPanel((model) => chat.setModel(model.id), settings.askForKey);
