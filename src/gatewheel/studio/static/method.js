// How to tune: little to choose, or every setting of a table with what it means. Knows no addresses.

import { h } from "./dom.js";
import { plural } from "./format.js";

const EFFORTS = { quick: ["Quick", 1 / 3, "to see whether it learns at all"], "": ["Usual", 1, "as the project's file says"], thorough: ["Thorough", 2, "the best look is kept, so that it costs time alone"] };
const BUDGETS = [5, 15, 30, 60, 120, 480]; // minutes
const WORDS = { lora: "LoRA: the base as it is. Faster.", qlora: "QLoRA: the base in 4 bits. Slower; saves memory where the base is large, hardly with one of 135M." };

// state: {table, how, effort, budget, set}; change(changes) goes on with others
export function simple(choices, state, app, change) {
  return h("div.method", {}, tables(choices, state, change), reach(app, state, change), effort(choices, state, change));
}

export function advanced(choices, state, app, change) {
  const method = choices.methods.find((one) => one.table === state.table);
  return h("div.method", {}, tables(choices, state, change), reach(app, state, change), state.how === "turn" && h("fieldset", {}, h("legend", {}, "How long"), most(state, change)), base(choices, state, app, change), method && settings(method, state.set, (set) => change({ set })));
}

function tables(choices, state, change) {
  return h("fieldset", {}, h("legend", {}, "By which method"), choices.methods.map((one) => h("label.option", {}, h("input", { type: "radio", name: "table", value: one.table, checked: one.table === state.table, onchange: () => change({ table: one.table, set: [] }) }), h("span", {}, h("strong", {}, one.table), h("span.option-told", {}, WORDS[one.use] ?? `by ${one.use}`)))));
}

function reach(app, state, change) {
  const option = (value, name, told, disabled) => h("label.option", {}, h("input", { type: "radio", name: "how", value, checked: state.how === value && !disabled, disabled, onchange: () => change({ how: value }) }), h("span", {}, h("strong", {}, name), h("span.option-told", {}, told)));
  const gate = app?.gate ? `, asks gate ${app.gate}, and proposes what passed; nothing is released by itself` : "";
  return h("fieldset", {}, h("legend", {}, "How far"), option("", "Tune", "makes an adapter; what becomes of it you say afterwards"), option("turn", "The whole turn", app?.no_turn || `harvests corrected answers, tunes, writes the file that is served${gate}`, Boolean(app?.no_turn)));
}

function effort(choices, state, change) {
  const efforts = Object.entries(EFFORTS).map(([value, [name, by, told]]) => h("label.option", {}, h("input", { type: "radio", name: "effort", value, checked: state.effort === value, onchange: () => change({ effort: value }) }), h("span", {}, h("strong", {}, name), h("span.option-told", {}, `${long(choices, state, by)}: ${told}`))));
  return h("fieldset", {}, h("legend", {}, "How long it learns"), efforts, most(state, change));
}

function most(state, change) {
  const name = (one) => (one % 60 ? plural(one, "minute") : plural(one / 60, "hour"));
  const known = [...new Set([...BUDGETS, Number(state.budget)])].sort((a, b) => a - b); // a turn may have had another
  const minutes = h("select", { id: "budget", onchange: (event) => change({ budget: event.target.value }) }, known.map((one) => h("option", { value: `${one}`, selected: `${one}` === state.budget }, name(one))));
  return h("label.at-most", {}, "At most ", minutes, h("span.option-told", {}, "Where that is short, it learns for fewer steps."));
}

function base(choices, state, app, change) {
  const others = choices.models.filter((name) => name !== app?.model);
  if (state.how || !others.length) return null;
  return h("label.field", {}, h("span.field-name", {}, "Which weights"), h("select", { onchange: (event) => change({ base: event.target.value }) }, h("option", { value: "" }, app ? `${app.model}, as ${app.app} uses` : "the application's"), others.map((name) => h("option", { value: name, selected: name === state.base }, name))));
}

// One field for each property of the schema; `set` holds key=value for those that were changed
function settings({ schema, settings: filed }, set, change) {
  const changed = Object.fromEntries(set.map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]));
  // the fields stay as they are: one that is drawn anew while somebody goes to the next would lose the focus
  const put = (name, text, usual) => {
    delete changed[name];
    if (text !== usual) changed[name] = text;
    document.querySelector(`[data-setting="${CSS.escape(name)}"]`)?.classList.toggle("changed", text !== usual);
    change(Object.entries(changed).map(([key, value]) => `${key}=${value}`));
  };
  return h("fieldset.settings", {}, h("legend", {}, "Settings, for this once"), h("div.settings-grid", {}, Object.entries(schema.properties).map(([name, kind]) => setting(name, resolved(kind, schema), { filed: filed[name], text: changed[name], put }))));
}

function resolved(kind, schema) {
  return kind.$ref ? { ...schema.$defs?.[kind.$ref.split("/").pop()], ...kind } : kind;
}

function setting(name, kind, { filed, text, put }) {
  const usual = written(filed);
  const id = `set-${name}`;
  const now = text ?? usual;
  const send = (value) => put(name, value, usual);
  const told = [kind.description, same(filed, kind.default) ? `Default: ${shown(kind.default)}.` : `The file says ${shown(filed)}; default: ${shown(kind.default)}.`].filter(Boolean).join(" ");
  const help = h("span.option-told", { id: `${id}-told` }, told);
  const common = { id, "aria-describedby": `${id}-told` };
  const mark = text === undefined ? "div.setting" : "div.setting.changed";
  if (kind.type === "array" && kind.items?.enum) {
    const chosen = new Set(parsed(now) ?? []);
    return h(`${mark}.wide`, { data: { setting: name }, role: "group", "aria-label": name, "aria-describedby": `${id}-told` }, h("span.field-name.mono", {}, name), h("div.setting-boxes", {}, kind.items.enum.map((one) => h("label.check", {}, h("input", { type: "checkbox", checked: chosen.has(one), onchange: (event) => {
      event.target.checked ? chosen.add(one) : chosen.delete(one);
      send(written(kind.items.enum.filter((each) => chosen.has(each))));
    } }), h("span.mono", {}, one)))), help);
  }
  let field;
  if (kind.type === "boolean") field = h("select", { ...common, onchange: (event) => send(event.target.value) }, ["false", "true"].map((one) => h("option", { value: one, selected: one === now }, one === "true" ? "yes" : "no")));
  else if (kind.enum) field = h("select", { ...common, onchange: (event) => send(written(event.target.value)) }, kind.enum.map((one) => h("option", { value: one, selected: written(one) === now }, one)));
  else if (["integer", "number"].includes(kind.type)) field = h("input", { ...common, type: "number", inputmode: "decimal", step: kind.type === "integer" ? "1" : "any", min: kind.minimum ?? kind.exclusiveMinimum, max: kind.maximum ?? kind.exclusiveMaximum, value: now, onchange: (event) => send(event.target.value === "" ? usual : written(Number(event.target.value))) });
  else field = h("input", { ...common, type: "text", value: now, spellcheck: "false", onchange: (event) => send(event.target.value) });
  return h(mark, { data: { setting: name } }, h("label.field-name.mono", { for: id }, name), field, help);
}

// A value as the command line takes it: TOML, which for these is JSON
function written(value) {
  return JSON.stringify(value) ?? "";
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function same(one, other) {
  return written(one) === written(other);
}

function shown(value) {
  if (Array.isArray(value)) return value.length > 4 ? `all ${value.length}` : value.join(", ");
  return value === true ? "yes" : value === false ? "no" : `${value}`;
}

// How long so many times the usual is: {steps} where the table counts steps, else {epochs}
function times(choices, state, by) {
  const { steps = 0, epochs = 1 } = choices.methods.find((one) => one.table === state.table)?.settings ?? {};
  return steps ? { steps: Math.max(1, Math.round(steps * by)) } : { epochs: Number((epochs * by).toFixed(2)) };
}

function long(choices, state, by) {
  const { steps, epochs } = times(choices, state, by);
  return steps ? plural(steps, "step") : epochs === 1 ? "each case once" : `each case ${epochs} times`;
}

// What differs from the table, as the API takes it
export function changesOf(choices, state) {
  if (state.view === "advanced") return Object.fromEntries(state.set.map((one) => [one.slice(0, one.indexOf("=")), value(one.slice(one.indexOf("=") + 1))]));
  const by = EFFORTS[state.effort]?.[1] ?? 1;
  return by === 1 ? {} : times(choices, state, by);
}

function value(text) {
  const found = parsed(text);
  return found === null ? text : found;
}
