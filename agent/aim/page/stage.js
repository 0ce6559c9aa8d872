// The picture's overlay: lines and zones, their handles, and the tools that add to them.

import { $, t, el, shape, sketches, coarseOf } from './words.js';
import { now, everything, of, nameOf, isPicked, isWrong, pick, step, changed, add, dots, grow, shift, normal } from './plan.js';

let showTab = () => {};
export const onTap = (f) => { showTab = f; };

// ---- Lines and zones ---------------------------------------------------------

const narrow = 560; // pixels of the picture below which words over silhouettes hide the street

export function draw() {
  const svg = $('overlay'), W = $('stage').clientWidth, H = $('stage').clientHeight;
  svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
  svg.replaceChildren();
  const at = ([x, y]) => [x * W, y * H];
  const words = []; // places of words over silhouettes: x, y
  if (now.news && sketches) now.news.objects.forEach((o) => drawObject(svg, o, at, words));
  const depth = (p) => (isPicked(p) ? 4 : ['mask', 'zone', 'height', 'line'].indexOf(p.kind));
  for (const p of everything().sort((a, b) => depth(a) - depth(b))) drawElement(svg, p, at);
  placeHandles(at);
}

// drawObject outlines an object: boldly where the selected element, or without one any,
// counts it.
function drawObject(svg, o, at, words) {
  const [x0, y0] = at(o.at), [x1, y1] = at(o.at.slice(2));
  const by = now.picked && of(now.picked).classes ? [of(now.picked)] : [...now.plan.lines, ...now.plan.zones];
  const counted = by.some((x) => x.classes.some((c) => c === o.class || c === coarseOf(o.class)));
  svg.append(shape('rect', { class: counted ? 'box' : 'box pale', x: x0, y: y0, width: x1 - x0, height: y1 - y0, stroke: `var(--${o.class})` }));
  const y = Math.max(y0 - 3, 11);
  if ($('stage').clientWidth < narrow || !counted || y1 - y0 < 24 || words.some((w) => Math.abs(w[0] - x0) < 56 && Math.abs(w[1] - y) < 13)) return; // its colour must do
  words.push([x0, y]);
  const tag = shape('text', { class: 'tag', x: x0, y });
  tag.textContent = t(o.class);
  svg.append(tag);
}

function drawElement(svg, p, at) {
  const g = shape('g', { class: `${p.kind} ${isPicked(p) ? 'on' : ''} ${isWrong(p) ? 'bad' : ''}` });
  const pts = dots(p).map(at).map((d) => d.join(',')).join(' ');
  const form = p.kind === 'zone' || p.kind === 'mask' ? 'polygon' : 'polyline';
  for (const look of ['case', 'ink']) g.append(shape(form, { class: look, points: pts }));
  if (p.kind === 'line') drawArrow(g, p, at);
  if (p.kind === 'zone') write(g, at(bottomOf(p)), `${of(p).id}${presentIn(of(p).id)}`, -8);
  if (p.kind === 'height') write(g, at(dots(p)[1]), `${of(p).length ?? of(p).metres} m`, -8);
  const hit = shape(form, { class: 'hit', points: pts });
  hit.addEventListener('click', () => { if (!tool) { pick(p); showTab('draw'); } });
  g.append(hit);
  svg.append(g);
}

function write(g, [x, y], what, dy = 4) {
  const W = $('stage').clientWidth, H = $('stage').clientHeight, half = what.length * 3.8;
  const e = shape('text', { x: Math.min(Math.max(x, half + 2), W - half - 2), y: Math.min(Math.max(y + dy, 14), H - 6), 'text-anchor': 'middle' });
  e.textContent = what;
  g.append(e);
}

const presentIn = (id) => {
  const z = now.news?.zones?.[id];
  return z ? ' ' + Object.values(z).reduce((a, b) => a + b, 0) : '';
};

export function countsOf(id) {
  const sum = { a_to_b: 0, b_to_a: 0 };
  for (const c of now.news?.counts?.[id] ?? []) sum[c.dir] += c.device;
  return sum;
}

// drawArrow shows which way is a_to_b, with the counts of both ways.
function drawArrow(g, p, at) {
  const line = of(p), [a, b] = dots(p).map(at), n = normal(line), sum = countsOf(line.id);
  const m = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], r = 20, beyond = 13;
  const tip = [m[0] + n[0] * r, m[1] + n[1] * r], tail = [m[0] - n[0] * r, m[1] - n[1] * r];
  const barb = (s) => [tip[0] - n[0] * 9 + n[1] * 7 * s, tip[1] - n[1] * 9 - n[0] * 7 * s];
  const path = `M${tail}L${tip}M${barb(1)}L${tip}L${barb(-1)}`;
  for (const look of ['case', 'ink']) g.append(shape('path', { class: look, d: path }));
  write(g, [tip[0] + n[0] * beyond, tip[1] + n[1] * beyond], String(sum.a_to_b));
  write(g, [tail[0] - n[0] * beyond, tail[1] - n[1] * beyond], String(sum.b_to_a));
  if (!isPicked(p)) write(g, [a[0] + (b[0] - a[0]) * 0.2, a[1] + (b[1] - a[1]) * 0.2], line.id, -8);
}

// ---- Handles --------------------------------------------------------------------

// middleOf is where the handle sits that moves all of an element. A line has it beside its
// middle, where its arrow is not.
function middleOf(p) {
  const ds = dots(p), n = ds.length;
  if (p.kind === 'line') return [ds[0][0] + (ds[1][0] - ds[0][0]) * 0.25, ds[0][1] + (ds[1][1] - ds[0][1]) * 0.25];
  return [ds.reduce((s, d) => s + d[0], 0) / n, ds.reduce((s, d) => s + d[1], 0) / n];
}

// bottomOf is where the name of a zone stands: out of the way of what crosses its middle.
const bottomOf = (p) => [middleOf(p)[0], Math.max(...dots(p).map((d) => d[1]))];

function label(p, k) {
  const [x, y] = dots(p)[k].map((v) => Math.round(v * 100));
  let name = t('corner_n', { n: k + 1 });
  if (p.kind === 'line' || of(p).across) name = t('end_n', { n: k + 1 });
  else if (p.kind === 'height') name = t(k ? 'top' : 'foot');
  return `${nameOf(p)}, ${name}: ${t('at', { x, y })}`;
}

// Handles are buttons, so that a keyboard and a screen reader find them. They are kept
// while something is dragged or has the focus.
let shownFor = null; // what they stand for; null: to be made anew
export const renewHandles = () => { shownFor = null; };

function placeHandles(at) {
  const box = $('handles'), p = now.picked;
  const want = p ? `${p.kind}${p.i}/${dots(p).length}` : '';
  if (want !== shownFor) {
    shownFor = want;
    box.replaceChildren();
    if (p) {
      if (p.kind === 'zone' || p.kind === 'mask') dots(p).forEach((_, k) => box.append(handle(p, 'more', k)));
      box.append(handle(p, 'move', -1));
      dots(p).forEach((_, k) => box.append(handle(p, 'dot', k)));
    }
  }
  for (const h of box.children) {
    const k = Number(h.dataset.k), ds = dots(p), what = h.dataset.what;
    let d = middleOf(p);
    if (what === 'dot') { d = ds[k]; h.setAttribute('aria-label', label(p, k)); }
    if (what === 'more') { const e = ds[(k + 1) % ds.length]; d = [(ds[k][0] + e[0]) / 2, (ds[k][1] + e[1]) / 2]; }
    h.classList.toggle('on', what === 'dot' && p.corner === k);
    const [x, y] = at(d);
    h.style.left = `${x}px`;
    h.style.top = `${y}px`;
  }
}

function handle(p, what, k) {
  const h = el('button', { type: 'button', class: `handle ${what}`, 'data-what': what, 'data-k': k });
  if (what === 'move') h.setAttribute('aria-label', `${nameOf(p)}: ${t('move')}`);
  if (what === 'more') h.setAttribute('aria-label', `${nameOf(p)}: ${t('more_corner')}`);
  h.addEventListener('pointerdown', (e) => startDrag(e, h, p));
  h.addEventListener('click', () => { // from a keyboard: a pointer has done it already
    if (h.dataset.what !== 'more') return;
    step();
    grow(p, k);
    shownFor = null;
    changed();
  });
  h.addEventListener('keydown', (e) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!by || what === 'more') return;
    e.preventDefault();
    step(`key ${what} ${k}`);
    if (what === 'dot') p.corner = k;
    const by_ = e.shiftKey ? 0.002 : 0.01;
    shift(p, what, k, by[0] * by_, by[1] * by_);
    changed();
  });
  return h;
}

function startDrag(e, h, p) {
  e.preventDefault();
  h.focus();
  h.setPointerCapture(e.pointerId);
  now.dragging = true;
  step();
  let what = h.dataset.what;
  const k = Number(h.dataset.k) + (what === 'more' ? 1 : 0);
  if (what === 'more') { grow(p, k - 1); what = 'dot'; h.dataset.what = 'dot'; h.dataset.k = k; }
  if (what === 'dot') p.corner = k;
  let last = spot(e);
  const move = (e) => { const at = spot(e); shift(p, what, k, at[0] - last[0], at[1] - last[1]); last = at; draw(); };
  const up = () => {
    h.removeEventListener('pointermove', move);
    now.dragging = false;
    pick(p);
    changed();
  };
  h.addEventListener('pointermove', move);
  h.addEventListener('pointerup', up, { once: true });
  h.addEventListener('pointercancel', up, { once: true });
}

function spot(e) {
  const r = $('stage').getBoundingClientRect();
  return [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height];
}

// ---- Tools ------------------------------------------------------------------------

export let tool = null; // line, zone, mask or height
export let preset = 'all';
export const choosePreset = (name) => { preset = name; };

let armed = () => {};
export const onArm = (f) => { armed = f; };

export function arm(kind) {
  if (tool === kind && kind) { // again: the default, in the middle
    arm(null);
    const d = { line: [[0.25, 0.6], [0.75, 0.6]], zone: [[0.35, 0.45], [0.65, 0.75]], mask: [[0.02, 0.02], [0.3, 0.3]], height: [[0.5, 0.8], [0.5, 0.5]] }[kind];
    return add(kind, ...d, preset);
  }
  tool = kind;
  if (kind) { if (now.picked) pick(null); preset = kind === 'zone' ? 'waiting' : 'all'; }
  $('stage').classList.toggle('armed', !!kind);
  for (const b of document.querySelectorAll('[data-tool]')) b.setAttribute('aria-pressed', b.dataset.tool === kind);
  armed();
}

for (const b of document.querySelectorAll('[data-tool]')) b.addEventListener('click', () => arm(b.dataset.tool));

$('stage').addEventListener('pointerdown', (e) => {
  if (!tool) return;
  e.preventDefault();
  const kind = tool, from = spot(e), flat = kind === 'line' || kind === 'height';
  let to = from;
  const ghost = shape(flat ? 'polyline' : 'polygon', { class: 'ink' });
  $('stage').setPointerCapture(e.pointerId);
  now.dragging = true;
  const move = (e) => {
    to = spot(e);
    const W = $('stage').clientWidth, H = $('stage').clientHeight;
    const pts = flat ? [from, to] : [from, [to[0], from[1]], to, [from[0], to[1]]];
    ghost.setAttribute('points', pts.map((d) => `${d[0] * W},${d[1] * H}`).join(' '));
    $('overlay').append(ghost);
  };
  const up = () => {
    $('stage').removeEventListener('pointermove', move);
    now.dragging = false;
    const as = preset;
    arm(null);
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 0.04) { // a tap
      const d = { line: [0.2, 0], zone: [0.12, 0.12], mask: [0.12, 0.12], height: [0, -0.15] }[kind];
      add(kind, [from[0] - d[0], from[1] - d[1] * (kind !== 'height')], [from[0] + d[0], from[1] + d[1]], as);
    } else add(kind, from, to, as);
  };
  $('stage').addEventListener('pointermove', move);
  $('stage').addEventListener('pointerup', up, { once: true });
});
new ResizeObserver(() => draw()).observe($('stage'));
