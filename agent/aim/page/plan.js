// The plan of the camera: lines and zones, their history, and the limits of the policy.

import { t, lang, post, allClasses, usual, overlap, parts, coarseOf } from './words.js';

// The lists of a plan, by what the page calls their members.
export const lists = { line: 'lines', zone: 'zones', mask: 'masks', height: 'heights' };

// now is the page's state: the plan, the device's answer to it, and the selection.
export const now = {
  plan: { lines: [], zones: [], masks: [], heights: [] },
  number: 0, // of the plan that the device has
  saved: true, undoes: 0, complaints: [],
  picked: null, // { kind, i, corner }
  dragging: false,
  sending: 0, // changes that the device has not answered yet
  news: null, // the last status of the device
};

let watchers = [];
export const onChange = (f) => watchers.push(f); // f is called with what changed: plan, pick
const tell = (what) => watchers.forEach((f) => f(what));

export function take(answer, withPlan) {
  Object.assign(now, { number: answer.number, saved: answer.saved, undoes: answer.undoes, complaints: answer.complaints ?? [] });
  if (withPlan) { // else a name may be being typed
    now.plan = answer.plan;
    for (const k of Object.values(lists)) now.plan[k] ??= [];
    now.picked = null;
    steps.length = 0;
    tell('pick');
  }
  tell('plan');
}

export const complain = (e) => { now.complaints = [{ key: '', want: e.message }]; tell('plan'); };
export const reload = async () => take(await (await fetch('/plan')).json(), true);

export function pick(p) { now.picked = p; tell('pick'); }

// ---- History ----------------------------------------------------------------

const steps = []; // the plan before each step, as JSON
let lastTag = '', lastAt = 0;
const mostSteps = 100;

// step notes the plan before it changes. Steps of one tag in quick succession, such as the
// letters of a name, are one.
export function step(tag = '') {
  const at = Date.now(), before = JSON.stringify(now.plan);
  const same = tag && tag === lastTag && at - lastAt < 2000;
  lastTag = tag; lastAt = at;
  if (!same && steps.at(-1) !== before) steps.push(before);
  if (steps.length > mostSteps) steps.shift();
}

export const canStepBack = () => steps.some((s) => s !== JSON.stringify(now.plan));

export function stepBack() {
  const is = JSON.stringify(now.plan);
  let before;
  do before = steps.pop(); while (before === is);
  if (!before) return;
  lastTag = '';
  now.plan = JSON.parse(before);
  pick(null);
  changed();
}

let trying = 0;
export function changed() {
  now.saved = false;
  tell('draw');
  clearTimeout(trying);
  trying = setTimeout(() => {
    trying = 0;
    if (now.dragging) changed();
    else send('try', now.plan, false);
  }, 350);
}

// send sends a change and takes the answer. A plan that the device refuses is given up for
// the one that it has.
async function send(path, body, withPlan) {
  now.sending++;
  try {
    const answer = await post(path, body);
    if (!trying) take(answer, withPlan); // else it changed meanwhile
    else now.number = answer.number;
  } catch (e) { await reload(); complain(e); }
  now.sending--;
}

export const isSettled = () => !trying && !now.sending && !now.dragging;

export async function save() {
  clearTimeout(trying);
  trying = 0;
  await send('save', now.plan, false);
  return now.saved;
}

export const undoSave = () => send('undo', {}, true);

// ---- Lines and zones ----------------------------------------------------------

export const of = (p) => now.plan[lists[p.kind]][p.i];
export const nameOf = (p) => of(p).id ?? `${t(p.kind === 'height' ? 'scale' : p.kind)} ${p.i + 1}`;
export const isPicked = (p) => now.picked?.kind === p.kind && now.picked?.i === p.i;

export function everything() {
  const all = [];
  for (const [kind, list] of Object.entries(lists)) now.plan[list].forEach((_, i) => all.push({ kind, i }));
  return all;
}

// elementOf returns the element that a complaint is about, or null.
export function elementOf(c) {
  const m = /^(line|zone|mask|height)\[(\d+)\]/.exec(c.key ?? '');
  const p = m && { kind: m[1], i: Number(m[2]) };
  if (p && of(p)) return p;
  return c.streams?.length === 1 ? byName(c.streams[0]) : null;
}

export const byName = (id) => everything().find((p) => of(p).id === id) ?? null;
export const isWrong = (p) => now.complaints.some((c) => {
  const e = elementOf(c);
  return e ? e.kind === p.kind && e.i === p.i : c.streams?.includes(of(p).id);
});

// slug makes a name of the typed text: small letters, digits, - and _.
export function slug(s) {
  s = s.toLowerCase().replace(/ß/g, 'ss').replace(/æ/g, 'ae').replace(/œ/g, 'oe').replace(/ø/g, 'o');
  if (lang === 'de') s = s.replace(/ä/g, 'ae').replace(/ö/g, 'oe').replace(/ü/g, 'ue');
  return s.normalize('NFD').replace(/[\u0300-\u036f]/g, '').replace(/[^a-z0-9_-]+/g, '-').slice(0, 32);
}

export function freeName(base) {
  base = slug(base).slice(0, 28);
  const used = new Set([...now.plan.lines, ...now.plan.zones].map((x) => x.id));
  if (!used.has(base)) return base;
  for (let i = 2; ; i++) if (!used.has(`${base}-${i}`)) return `${base}-${i}`;
}

// ---- Presets --------------------------------------------------------------------

const wanted = { all: usual, pavement: ['person'], carriageway: ['vehicle'], cycle: ['bicycle'], crossing: ['person'], waiting: ['person'] };
export const presets = { line: ['all', 'pavement', 'carriageway', 'cycle'], zone: ['waiting', 'crossing', 'all'] };

// classesFor returns the allowed classes of a preset.
export function classesFor(preset) {
  const cs = wanted[preset].filter((c) => allClasses.includes(c));
  return preset === 'carriageway' && !cs.length ? parts.filter((c) => allClasses.includes(c)) : cs;
}

// places returns in how many lines and zones a class is counted, whole or in parts.
const places = (c) => [...now.plan.lines, ...now.plan.zones].filter((x) => x.classes.some((y) => coarseOf(y) === coarseOf(c))).length;

// fitting leaves those classes that the policy lets one more place count.
export const fitting = (cs) => cs.filter((c) => places(c) < overlap);

const round = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 1000) / 1000;

// add adds an element between two points. Where nothing fits the policy any more it counts
// all the same: the device says so, and the page offers what mends it.
export function add(kind, a, b, preset = 'all') {
  const [x0, y0] = a.map(round), [x1, y1] = b.map(round), plan = now.plan;
  step();
  if (kind === 'line' || kind === 'zone') {
    const cs = classesFor(preset), fit = fitting(cs);
    const id = freeName(t(preset === 'all' ? kind : `preset_${preset}`));
    const shape = kind === 'line' ? { from: [x0, y0], to: [x1, y1] } : { polygon: box(x0, y0, x1, y1) };
    plan[lists[kind]].push({ id, ...shape, classes: fit.length ? fit : cs });
  }
  if (kind === 'mask') plan.masks.push({ polygon: box(x0, y0, x1, y1) });
  if (kind === 'height') addHeight([x0, y0], [x1, y1]);
  pick({ kind, i: plan[lists[kind]].length - 1 });
  changed();
}

const box = (x0, y0, x1, y1) => [[Math.min(x0, x1), Math.min(y0, y1)], [Math.max(x0, x1), Math.min(y0, y1)], [Math.max(x0, x1), Math.max(y0, y1)], [Math.min(x0, x1), Math.max(y0, y1)]];

// makeBox gives a polygon the form of its bounding box.
export function makeBox(o) {
  const xs = o.polygon.map((d) => d[0]), ys = o.polygon.map((d) => d[1]);
  o.polygon = box(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
}

function addHeight(a, b) {
  const heights = now.plan.heights;
  if (heights.length >= 2) heights.shift();
  const h = { metres: 1.75 };
  heights.push(h);
  // Lying flat it is a width on the ground, upright a height.
  if (Math.abs(b[0] - a[0]) * aspect() > Math.abs(b[1] - a[1])) Object.assign(h, { across: [a, b], metres: 3 });
  else Object.assign(h, a[1] > b[1] ? { foot: a, top: b } : { foot: b, top: a });
  measure(h);
}

export const aspect = () => (now.news?.size?.[0] ? now.news.size[0] / now.news.size[1] : 16 / 9);

// measure makes of a width on the ground the upright thing of the same scale there.
export function measure(h) {
  if (!h.across) return;
  const [a, b] = h.across;
  const long = Math.hypot((b[0] - a[0]) * aspect(), b[1] - a[1]);
  const foot = [round((a[0] + b[0]) / 2), round((a[1] + b[1]) / 2)];
  const part = Math.min(1, (foot[1] - 0.01) / Math.max(long, 0.01));
  h.foot = foot;
  h.top = [foot[0], round(foot[1] - long * part)];
  h.length = h.length ?? h.metres;
  h.metres = Math.round(h.length * part * 100) / 100;
}

export function remove(p) {
  step();
  now.plan[lists[p.kind]].splice(p.i, 1);
  pick(null);
  changed();
}

// setClass counts a class in an element, or no longer. A vehicle is counted whole or in
// its parts.
export function setClass(o, c, on) {
  step();
  o.classes = o.classes.filter((x) => x !== c);
  if (on) {
    if (c === 'vehicle') o.classes = o.classes.filter((x) => !parts.includes(x));
    if (parts.includes(c)) o.classes = o.classes.filter((x) => x !== 'vehicle');
    o.classes.push(c);
  }
  o.classes.sort((a, b) => allClasses.indexOf(a) - allClasses.indexOf(b));
}

// ---- Places ---------------------------------------------------------------------

// dots are the points of an element that can be dragged.
export function dots(p) {
  const o = of(p);
  if (p.kind === 'line') return [o.from, o.to];
  if (p.kind === 'height') return o.across ?? [o.foot, o.top];
  return o.polygon;
}

export function grow(p, k) {
  const ds = of(p).polygon, e = ds[(k + 1) % ds.length];
  ds.splice(k + 1, 0, [round((ds[k][0] + e[0]) / 2), round((ds[k][1] + e[1]) / 2)]);
}

// shift moves one dot, or all of an element, which stays in the picture and keeps its form.
export function shift(p, what, k, dx, dy) {
  const ds = dots(p);
  const which = what === 'move' ? ds.map((_, i) => i) : [k];
  if (what === 'move') {
    dx = Math.min(Math.max(dx, -Math.min(...ds.map((d) => d[0]))), 1 - Math.max(...ds.map((d) => d[0])));
    dy = Math.min(Math.max(dy, -Math.min(...ds.map((d) => d[1]))), 1 - Math.max(...ds.map((d) => d[1])));
  }
  for (const i of which) { ds[i][0] = round(ds[i][0] + dx); ds[i][1] = round(ds[i][1] + dy); }
  if (p.kind === 'height') measure(of(p));
}

// normal is the direction a_to_b of a line on the screen: across it, to its side b. Its
// length is 1.
export function normal(line) {
  const dx = (line.to[0] - line.from[0]) * aspect(), dy = line.to[1] - line.from[1];
  const long = Math.hypot(dx, dy) || 1;
  return [-dy / long, dx / long];
}

// heading is the direction of a line's passages on the screen: its angle in degrees, from
// right by down, and its words.
export function heading(line, dir) {
  const [x, y] = normal(line), sign = dir === 'a_to_b' ? 1 : -1;
  const angle = Math.round(Math.atan2(y * sign, x * sign) * 180 / Math.PI);
  return { angle, words: t('dir_' + ((Math.round(angle / 45) + 8) % 8)) };
}
