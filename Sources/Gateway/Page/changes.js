// What happened between two looks at the cluster, in words.

/** "layers 0–19", as people count: both ends included. */
export function layersText(layers) {
  if (!layers) return "no layers";
  const last = layers.end - 1;
  return layers.first === last ? `layer ${last}` : `layers ${layers.first}–${last}`;
}

/**
 * The changes, each as { kind, text }; a kind is "failure", "recovery" or "note".
 * @param {object|null} before the earlier status, or null when the cluster was not seen before
 */
export function changes(before, after) {
  if (!before) return [];
  const found = [];
  const tell = (kind, text) => found.push({ kind, text });
  const former = new Map(before.workers.map((worker) => [worker.id, worker]));
  for (const worker of after.workers) {
    const old = former.get(worker.id);
    former.delete(worker.id);
    if (!old) tell("note", `${worker.id} joined`);
    else if (old.processID !== worker.processID) tell("note", `${worker.id} came back as a new process`);
    workerChanges(old, worker, tell);
  }
  for (const worker of former.values()) {
    if (worker.state !== "lost") tell("failure", `${worker.id} is gone${worker.layers ? `; it held ${layersText(worker.layers)}` : ""}`);
  }
  clusterChanges(before, after, tell);
  return found;
}

function workerChanges(old, worker, tell) {
  if (old?.state !== worker.state) {
    const held = old?.layers ?? worker.layers;
    if (worker.state === "lost") tell("failure", `${worker.id} was lost${held ? `; it held ${layersText(held)}` : ""}`);
    else if (worker.state === "failed") tell("failure", `${worker.id} failed`);
    else if (worker.state === "loading") tell("note", `${worker.id} loads ${layersText(worker.layers)}`);
    else if (worker.state === "ready" && old) tell("recovery", `${worker.id} serves ${layersText(worker.layers)}`);
  } else if (old && worker.layers && layersText(old.layers) !== layersText(worker.layers)) {
    tell("note", `${worker.id} now holds ${layersText(worker.layers)}, before ${layersText(old.layers)}`);
  }
  if (worker.detail && worker.detail !== old?.detail) tell("failure", `${worker.id}: ${worker.detail}`);
}

function clusterChanges(before, after, tell) {
  if (before.epoch.term !== after.epoch.term) tell("note", `another coordinator took over (term ${after.epoch.term})`);
  else if (before.epoch.plan !== after.epoch.plan) tell("note", `the layers were placed anew (plan ${after.epoch.plan})`);
  if (before.model.id !== after.model.id) tell("note", `the model is now ${after.model.id}`);
  if (before.state === after.state) return;
  if (after.state === "ready") tell("recovery", "the cluster serves");
  else tell("failure", after.reason ? `the cluster does not serve: ${after.reason}` : `the cluster is ${after.state}`);
}
