// The commissioning page. It draws over silhouettes and asks the device for
// everything else: what is counted, what is wrong, how much time is left.

const $ = (id) => document.getElementById(id);
const lang = document.documentElement.lang;
const words = (await (await fetch('/words.json')).json())[lang];
const t = (key, with_ = {}) => (words[key] ?? key).replace(/\{(\w)\}/g, (_, k) => with_[k] ?? '');
const token = document.body.dataset.token;
const allClasses = document.body.dataset.classes.split(',');
const sketches = document.body.dataset.sketches === 'true';
const SVG = 'http://www.w3.org/2000/svg';

// The lists of a plan, by what the page calls their members.
const lists = { line: 'lines', zone: 'zones', mask: 'masks', height: 'heights' };

let plan = { lines: [], zones: [], masks: [], heights: [] };
let number = 0; // of the plan that the device has
let saved = true;
let undoes = 0;
let complaints = [];
let picked = null; // { kind, i, corner }
let tool = null;
let dragging = false;
let news = null;
let tallyLine = '';
let wasAccepted = false;
let hadTally = false;

async function post(path, body = {}) {
  const r = await fetch('/' + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Kerb-Token': token }, body: JSON.stringify(body),
  });
  const answer = await r.json().catch(() => ({ error: r.statusText }));
  if (!r.ok) throw new Error(answer.error ?? r.statusText);
  return answer;
}

const complain = (e) => { complaints = [{ key: '', want: e.message }]; showWrongs(); };

function el(name, attrs = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attrs)) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, '');
    else if (v !== false && v != null) e.setAttribute(k, v);
  }
  e.append(...children);
  return e;
}

function shape(name, attrs) {
  const e = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  return e;
}

// ---- The plan ----------------------------------------------------------

function take(answer, withPlan) {
  number = answer.number; saved = answer.saved; undoes = answer.undoes; complaints = answer.complaints ?? [];
  if (withPlan) { plan = answer.plan; for (const k of Object.values(lists)) plan[k] ??= []; pick(null); } // else a name may be being typed
  showAll();
}

let trying = 0;
function changed() {
  saved = false;
  draw();
  clearTimeout(trying);
  trying = setTimeout(async () => {
    if (dragging) return changed();
    try { take(await post('try', plan), false); } catch (e) { complain(e); }
  }, 350);
}

const of = (p) => plan[lists[p.kind]][p.i];
const nameOf = (p) => of(p).id ?? `${t(p.kind === 'height' ? 'scale' : p.kind)} ${p.i + 1}`;

function everything() {
  const all = [];
  for (const [kind, list] of Object.entries(lists)) plan[list].forEach((_, i) => all.push({ kind, i }));
  return all;
}

function isWrong(p) {
  const key = new RegExp(`\\.${p.kind}\\[${p.i}\\]`);
  return complaints.some((c) => key.test(c.key));
}

function freeName(base) {
  const used = new Set([...plan.lines, ...plan.zones].map((x) => x.id));
  for (let i = 1; ; i++) if (!used.has(`${base}-${i}`)) return `${base}-${i}`;
}

const round = (v) => Math.round(Math.min(Math.max(v, 0), 1) * 1000) / 1000;
const coarse = allClasses.filter((c) => document.body.dataset.coarse.split(',').includes(c));
const usual = coarse.length ? coarse : allClasses;

function add(kind, a, b) {
  const [x0, y0] = a.map(round), [x1, y1] = b.map(round);
  const box = [[Math.min(x0, x1), Math.min(y0, y1)], [Math.max(x0, x1), Math.min(y0, y1)], [Math.max(x0, x1), Math.max(y0, y1)], [Math.min(x0, x1), Math.max(y0, y1)]];
  if (kind === 'line') plan.lines.push({ id: freeName('line'), from: [x0, y0], to: [x1, y1], classes: [...usual] });
  if (kind === 'zone') plan.zones.push({ id: freeName('zone'), polygon: box, classes: [...usual] });
  if (kind === 'mask') plan.masks.push({ polygon: box });
  if (kind === 'height') {
    if (plan.heights.length >= 2) plan.heights.shift();
    const h = { metres: 1.75 };
    plan.heights.push(h);
    // Lying flat it is a width on the ground, upright a height.
    if (Math.abs(x1 - x0) * aspect() > Math.abs(y1 - y0)) Object.assign(h, { across: [[x0, y0], [x1, y1]], metres: 3 });
    else Object.assign(h, y0 > y1 ? { foot: [x0, y0], top: [x1, y1] } : { foot: [x1, y1], top: [x0, y0] });
    measure(h);
  }
  pick({ kind, i: plan[lists[kind]].length - 1 });
  changed();
}

const aspect = () => (news?.size?.[0] ? news.size[0] / news.size[1] : $('stage').clientWidth / $('stage').clientHeight);

// A width on the ground becomes the upright thing of the same scale there.
function measure(h) {
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

function remove(p) {
  plan[lists[p.kind]].splice(p.i, 1);
  pick(null);
  changed();
}

// ---- The picture's overlay ----------------------------------------------

// dots are the places of a thing that can be dragged.
function dots(p) {
  const o = of(p);
  if (p.kind === 'line') return [o.from, o.to];
  if (p.kind === 'height') return o.across ?? [o.foot, o.top];
  return o.polygon;
}

function label(p, k) {
  const [x, y] = dots(p)[k].map((v) => Math.round(v * 100));
  let name = t('corner_n', { n: k + 1 });
  if (p.kind === 'line') name = t('end_n', { n: k + 1 });
  if (p.kind === 'height') name = of(p).across ? t('end_n', { n: k + 1 }) : t(k ? 'top' : 'foot');
  return `${nameOf(p)}, ${name}: ${t('at', { x, y })}`;
}

// middleOf is where the handle sits that moves all of a thing. A line has it
// beside its middle, where its arrow is not.
function middleOf(p) {
  const ds = dots(p), n = ds.length;
  if (p.kind === 'line') return [ds[0][0] + (ds[1][0] - ds[0][0]) * 0.25, ds[0][1] + (ds[1][1] - ds[0][1]) * 0.25];
  return [ds.reduce((s, d) => s + d[0], 0) / n, ds.reduce((s, d) => s + d[1], 0) / n];
}

function draw() {
  const svg = $('overlay'), W = $('stage').clientWidth, H = $('stage').clientHeight;
  svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
  svg.replaceChildren();
  const at = ([x, y]) => [x * W, y * H];
  if (news && sketches) for (const o of news.objects) {
    const [x0, y0] = at(o.at), [x1, y1] = at(o.at.slice(2));
    svg.append(shape('rect', { class: 'box', x: x0, y: y0, width: x1 - x0, height: y1 - y0, stroke: `var(--${o.class})` }));
    const tag = shape('text', { class: 'tag', x: x0, y: Math.max(y0 - 3, 11) });
    tag.textContent = o.class === 'none' || y1 - y0 < 24 ? '' : t(o.class); // far away, its colour must do
    svg.append(tag);
  }
  for (const p of everything()) {
    const on = picked && picked.kind === p.kind && picked.i === p.i;
    const g = shape('g', { class: `${p.kind} ${on ? 'on' : ''} ${isWrong(p) ? 'bad' : ''}` });
    const pts = dots(p).map(at).map((d) => d.join(',')).join(' ');
    const form = p.kind === 'zone' || p.kind === 'mask' ? 'polygon' : 'polyline';
    for (const cls of ['case', 'ink']) g.append(shape(form, { class: cls, points: pts }));
    if (p.kind === 'line') arrow(g, p, at, on);
    if (p.kind === 'zone') text(g, at(middleOf(p)), `${of(p).id}${zoneText(of(p).id)}`, 'middle');
    if (p.kind === 'height') text(g, at(dots(p)[1]), `${of(p).length ?? of(p).metres} m`, 'middle', -8);
    const hit = shape(form, { class: 'hit', points: pts });
    hit.addEventListener('click', () => { if (!tool) { pick(p); showTab('draw'); } });
    g.append(hit);
    svg.append(g);
  }
  handles(at);
}

function text(g, [x, y], what, anchor, dy = 4) {
  const W = $('stage').clientWidth, H = $('stage').clientHeight;
  const half = what.length * 3.8;
  const e = shape('text', { x: Math.min(Math.max(x, half + 2), W - half - 2), y: Math.min(Math.max(y + dy, 14), H - 6), 'text-anchor': anchor });
  e.textContent = what;
  g.append(e);
}

const zoneText = (id) => {
  const z = news?.zones?.[id];
  return z ? ' ' + Object.values(z).reduce((a, b) => a + b, 0) : '';
};

// arrow shows which way is a_to_b: across the line, from its side a to side b.
function arrow(g, p, at, on) {
  const [a, b] = dots(p).map(at);
  const long = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const n = [-(b[1] - a[1]) / long, (b[0] - a[0]) / long];
  const m = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], r = 20;
  const tip = [m[0] + n[0] * r, m[1] + n[1] * r], tail = [m[0] - n[0] * r, m[1] - n[1] * r];
  const u = [n[1], -n[0]];
  const barb = (s) => [tip[0] - n[0] * 9 + u[0] * 7 * s, tip[1] - n[1] * 9 + u[1] * 7 * s];
  const path = `M${tail}L${tip}M${barb(1)}L${tip}L${barb(-1)}`;
  for (const cls of ['case', 'ink']) g.append(shape('path', { class: cls, d: path }));
  const beyond = 13, sum = countsOf(of(p).id);
  text(g, [tip[0] + n[0] * beyond, tip[1] + n[1] * beyond], on ? 'a_to_b' : `${sum.a_to_b}`, 'middle');
  text(g, [tail[0] - n[0] * beyond, tail[1] - n[1] * beyond], on ? 'b_to_a' : `${sum.b_to_a}`, 'middle');
  if (!on) text(g, [a[0] + (b[0] - a[0]) * 0.2, a[1] + (b[1] - a[1]) * 0.2 - 8], of(p).id, 'middle');
}

function countsOf(id) {
  const sum = { a_to_b: 0, b_to_a: 0 };
  for (const c of news?.counts?.[id] ?? []) sum[c.dir] += c.device;
  return sum;
}

// handles are buttons, so that a keyboard and a screen reader find them. They
// are kept while something is dragged or has the focus.
let shownFor = null; // what they stand for; null: to be made anew
function handles(at) {
  const box = $('handles');
  const want = picked ? `${picked.kind}${picked.i}/${dots(picked).length}` : '';
  if (want !== shownFor) {
    shownFor = want;
    box.replaceChildren();
    if (picked) {
      const p = picked;
      dots(p).forEach((_, k) => box.append(handle(p, 'dot', k)));
      box.append(handle(p, 'move', -1));
      if (p.kind === 'zone' || p.kind === 'mask') dots(p).forEach((_, k) => box.append(handle(p, 'more', k)));
    }
  }
  for (const h of box.children) {
    const k = Number(h.dataset.k), ds = picked ? dots(picked) : [];
    let d;
    if (h.dataset.what === 'dot') { d = ds[k]; h.setAttribute('aria-label', label(picked, k)); }
    if (h.dataset.what === 'move') d = middleOf(picked);
    if (h.dataset.what === 'more') { const e = ds[(k + 1) % ds.length]; d = [(ds[k][0] + e[0]) / 2, (ds[k][1] + e[1]) / 2]; }
    h.classList.toggle('on', h.dataset.what === 'dot' && picked.corner === k);
    const [x, y] = at(d);
    h.style.left = `${x}px`;
    h.style.top = `${y}px`;
  }
}

function handle(p, what, k) {
  const h = el('button', { type: 'button', class: `handle ${what}`, 'data-what': what, 'data-k': k });
  if (what === 'move') h.setAttribute('aria-label', `${nameOf(p)}: ${t('move')}`);
  if (what === 'more') h.setAttribute('aria-label', `${nameOf(p)}: ${t('more_corner')}`);
  h.addEventListener('pointerdown', (e) => {
    e.preventDefault();
    h.focus();
    h.setPointerCapture(e.pointerId);
    dragging = true;
    if (what === 'more') { grow(p, k); k += 1; what = 'dot'; h.dataset.what = 'dot'; h.dataset.k = k; }
    if (what === 'dot') picked.corner = k;
    let last = spot(e);
    const move = (e) => { const now = spot(e); shift(p, what, k, now[0] - last[0], now[1] - last[1]); last = now; draw(); };
    const up = () => {
      h.removeEventListener('pointermove', move);
      dragging = false;
      shownFor = null;
      changed();
      showProps();
    };
    h.addEventListener('pointermove', move);
    h.addEventListener('pointerup', up, { once: true });
    h.addEventListener('pointercancel', up, { once: true });
  });
  h.addEventListener('click', () => { // from a keyboard: a pointer has done it already
    if (h.dataset.what !== 'more') return;
    grow(p, k);
    shownFor = null;
    changed();
  });
  h.addEventListener('keydown', (e) => {
    const step = e.shiftKey ? 0.002 : 0.01;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
    if (!by || what === 'more') return;
    e.preventDefault();
    if (what === 'dot') picked.corner = k;
    shift(p, what, k, ...by);
    changed();
  });
  return h;
}

function grow(p, k) {
  const ds = of(p).polygon, e = ds[(k + 1) % ds.length];
  ds.splice(k + 1, 0, [round((ds[k][0] + e[0]) / 2), round((ds[k][1] + e[1]) / 2)]);
}

function shift(p, what, k, dx, dy) {
  const ds = dots(p);
  const which = what === 'move' ? ds.map((_, i) => i) : [k];
  if (what === 'move') { // all of it stays in the picture, and keeps its form
    dx = Math.min(Math.max(dx, -Math.min(...ds.map((d) => d[0]))), 1 - Math.max(...ds.map((d) => d[0])));
    dy = Math.min(Math.max(dy, -Math.min(...ds.map((d) => d[1]))), 1 - Math.max(...ds.map((d) => d[1])));
  }
  for (const i of which) { ds[i][0] = round(ds[i][0] + dx); ds[i][1] = round(ds[i][1] + dy); }
  if (p.kind === 'height') measure(of(p));
}

function spot(e) {
  const r = $('stage').getBoundingClientRect();
  return [(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height];
}

// ---- Tools ----------------------------------------------------------------

function arm(kind) {
  if (tool === kind && kind) { // again: the default, in the middle
    tool = null;
    const d = { line: [[0.25, 0.6], [0.75, 0.6]], zone: [[0.35, 0.45], [0.65, 0.75]], mask: [[0.02, 0.02], [0.3, 0.3]], height: [[0.5, 0.8], [0.5, 0.5]] }[kind];
    arm(null);
    add(kind, ...d);
    return;
  }
  tool = kind;
  if (kind) pick(null);
  $('stage').classList.toggle('armed', !!kind);
  for (const b of document.querySelectorAll('[data-tool]')) b.setAttribute('aria-pressed', b.dataset.tool === kind);
  showHint();
}

for (const b of document.querySelectorAll('[data-tool]')) b.addEventListener('click', () => arm(b.dataset.tool));

$('stage').addEventListener('pointerdown', (e) => {
  if (!tool) return;
  e.preventDefault();
  const kind = tool, from = spot(e);
  let to = from;
  const ghost = shape(kind === 'line' || kind === 'height' ? 'polyline' : 'polygon', { class: 'ink' });
  $('stage').setPointerCapture(e.pointerId);
  dragging = true;
  const move = (e) => {
    to = spot(e);
    const W = $('stage').clientWidth, H = $('stage').clientHeight;
    const pts = kind === 'line' || kind === 'height' ? [from, to] : [from, [to[0], from[1]], to, [from[0], to[1]]];
    ghost.setAttribute('points', pts.map((d) => `${d[0] * W},${d[1] * H}`).join(' '));
    $('overlay').append(ghost);
  };
  const up = () => {
    $('stage').removeEventListener('pointermove', move);
    dragging = false;
    arm(null);
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 0.04) { // a tap
      const d = { line: [0.2, 0], zone: [0.12, 0.12], mask: [0.12, 0.12], height: [0, -0.15] }[kind];
      add(kind, [from[0] - d[0], from[1] - d[1] * (kind !== 'height')], [from[0] + d[0], from[1] + d[1]]);
    } else add(kind, from, to);
  };
  $('stage').addEventListener('pointermove', move);
  $('stage').addEventListener('pointerup', up, { once: true });
});

function pick(p) {
  picked = p;
  shownFor = null;
  if (p && tool) arm(null);
  showItems(); showProps(); showHint(); draw();
}

// ---- The panel "Draw" -------------------------------------------------------

function showHint() { $('hint').textContent = t(tool ? `hint_${tool}` : picked ? 'hint_picked' : 'hint_none'); }

function showItems() {
  const all = everything();
  $('items').replaceChildren(...all.map((p) => el('li', {}, el('button', {
    type: 'button', class: isWrong(p) ? 'bad' : '', 'aria-pressed': String(picked?.kind === p.kind && picked?.i === p.i),
    onclick: () => pick(picked?.kind === p.kind && picked?.i === p.i ? null : p),
  }, nameOf(p)))));
  if (!all.length) $('items').append(el('li', { class: 'quiet' }, t('nothing')));
}

function showProps() {
  const f = $('props');
  f.hidden = !picked;
  if (!picked) return f.replaceChildren();
  const p = picked, o = of(p), parts = [];
  if ('id' in o) {
    parts.push(el('label', { for: 'name' }, t('name')), el('input', {
      id: 'name', type: 'text', value: o.id, autocapitalize: 'none', autocomplete: 'off', spellcheck: 'false', maxlength: 32, class: 'wire',
      oninput: (e) => { o.id = slug(e.target.value); showItems(); changed(); },
      onchange: (e) => { e.target.value = o.id; },
    }));
    parts.push(el('fieldset', { class: 'chips' }, el('legend', {}, t('counts_what')), ...allClasses.map((c) => chip(o, c))));
  }
  if (p.kind === 'height') {
    parts.push(el('label', { for: 'metres' }, `${t(o.across ? 'across' : 'upright')}: ${t('metres')}`), el('input', {
      id: 'metres', type: 'number', inputmode: 'decimal', min: 0.5, max: 20, step: 0.05, value: o.length ?? o.metres,
      oninput: (e) => {
        const v = Number(e.target.value);
        if (!(v > 0)) return;
        if (o.across) { o.length = v; measure(o); } else o.metres = v;
        changed();
      },
    }));
  }
  const bar = el('div', { class: 'bar' });
  if (p.kind === 'line') bar.append(el('button', { type: 'button', id: 'swap', onclick: () => { [o.from, o.to] = [o.to, o.from]; changed(); } }, t('swap')));
  if (o.polygon?.length > 3) {
    bar.append(el('button', { type: 'button', onclick: () => { o.polygon.splice(p.corner ?? o.polygon.length - 1, 1); p.corner = undefined; pick(p); changed(); } }, t('less_corner')));
  }
  bar.append(el('button', { type: 'button', id: 'remove', onclick: () => remove(p) }, t('remove')));
  f.replaceChildren(...parts, bar);
}
$('props').addEventListener('submit', (e) => e.preventDefault());

const slug = (s) => s.toLowerCase().replace(/[äå]/g, 'a').replace(/ö/g, 'o').replace(/[^a-z0-9_-]+/g, '-').slice(0, 32);

function chip(o, c) {
  const parts = ['motorcycle', 'car', 'heavy'];
  const input = el('input', { type: 'checkbox', value: c, checked: o.classes.includes(c) });
  input.addEventListener('change', () => {
    o.classes = o.classes.filter((x) => x !== c);
    if (input.checked) {
      // A vehicle is counted whole or in its parts.
      if (c === 'vehicle') o.classes = o.classes.filter((x) => !parts.includes(x));
      if (parts.includes(c)) o.classes = o.classes.filter((x) => x !== 'vehicle');
      o.classes.push(c);
    }
    o.classes.sort((a, b) => allClasses.indexOf(a) - allClasses.indexOf(b));
    showProps();
    changed();
  });
  return el('label', { class: 'chip' }, input, dot(c));
}

const colour = (e, c) => { e.style.setProperty('--c', `var(--${c})`); return e; };
const dot = (c) => colour(el('span', { class: 'swatch' }, t(c)), c);

function showWrongs() {
  $('wrongs').replaceChildren();
  if (!complaints.length) return;
  $('wrongs').append(el('div', { class: 'wrong' }, el('p', {}, el('b', {}, t('wrong'))), ...complaints.map((c) => {
    const m = /\.(line|zone|mask|height)(?:\[(\d+)\])?/.exec(c.key ?? '');
    const p = m && m[2] !== undefined ? { kind: m[1], i: Number(m[2]) } : null;
    const who = p && of(p) ? nameOf(p) + ': ' : '';
    return el('p', {}, `${who}${c.want}`, ...(c.hint ? [el('br'), el('small', {}, c.hint)] : []));
  })));
}

function showSaved(words_) {
  $('saved').textContent = words_ ?? (saved ? '' : t('unsaved'));
  $('undo').disabled = undoes < 1;
}

$('save').addEventListener('click', async () => {
  clearTimeout(trying);
  try {
    take(await post('save', plan), false);
    if (saved) showSaved(t('saved'));
  } catch (e) { complain(e); }
});

$('undo').addEventListener('click', async () => {
  try { take(await post('undo'), true); showSaved(t('undone')); } catch (e) { complain(e); }
});

function showAll() { showItems(); showHint(); showWrongs(); showSaved(); showLines(); draw(); }

// ---- The panel "Counts" ---------------------------------------------------

function showCounts() {
  if ($('live').hidden) return;
  const box = [];
  for (const l of plan.lines) {
    const n = (c, d) => (news.counts[l.id] ?? []).find((x) => x.class === c && x.dir === d)?.device ?? 0;
    box.push(el('section', { class: 'count' }, el('h3', { class: 'wire' }, l.id), el('table', {},
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, ''), el('th', { scope: 'col', class: 'wire' }, 'a_to_b'), el('th', { scope: 'col', class: 'wire' }, 'b_to_a'))),
      el('tbody', {}, ...l.classes.map((c) => el('tr', {}, el('td', {}, dot(c)), el('td', {}, String(n(c, 'a_to_b'))), el('td', {}, String(n(c, 'b_to_a')))))))));
  }
  for (const z of plan.zones) {
    const now = news.zones[z.id] ?? {};
    box.push(el('section', { class: 'count' }, el('h3', { class: 'wire' }, z.id), el('table', {},
      el('thead', {}, el('tr', {}, el('th', {}, ''), el('th', { scope: 'col' }, t('present')))),
      el('tbody', {}, ...z.classes.map((c) => el('tr', {}, el('td', {}, dot(c)), el('td', {}, String(now[c] ?? 0))))))));
  }
  if (!box.length) box.push(el('p', { class: 'quiet' }, t('nothing')));
  $('counts').replaceChildren(...box);
  $('health').textContent = t('health', { n: news.pictures, v: news.pace, w: news.viewers });
}

let advised = '';
function showAdvice() {
  const as = news.advice.map((a) => ({ warn: a.warn, fine: a.key === 'enough', words: t(a.key === 'scale' ? 'scale_advice' : a.key, { l: a.line, v: Math.round(a.value ?? 0) }) }));
  if (!as.some((a) => a.warn)) as.unshift({ fine: true, words: t('all_well') });
  as.sort((a, b) => b.warn - a.warn);
  const now = JSON.stringify(as);
  if (now === advised) return; // said once
  advised = now;
  $('advice').replaceChildren(...as.map((a) => el('li', { class: a.warn ? 'warn' : a.fine ? 'fine' : '' }, a.words)));
}

$('zero').addEventListener('click', () => post('reset').catch(complain));

// ---- The panel "Tally" -----------------------------------------------------

function showLines() {
  const s = $('hand-line'), was = s.value;
  s.replaceChildren(...plan.lines.map((l) => el('option', { value: l.id }, l.id)));
  if (plan.lines.some((l) => l.id === was)) s.value = was;
  $('hand-go').disabled = !plan.lines.length;
}

$('hand-go').addEventListener('click', async () => {
  try {
    tallyLine = $('hand-line').value;
    wasAccepted = false;
    showTally(await post('tally/start', { line: tallyLine }));
  } catch (e) { complain(e); }
});
const tally = (path, body) => post('tally/' + path, body).then(showTally).catch(complain);
$('hand-undo').addEventListener('click', () => tally('undo'));
$('hand-end').addEventListener('click', () => tally('finish'));

let keysFor = '';
function showTally(r) {
  const running = !!r && !r.done;
  hadTally ||= !!r?.done;
  $('hand-start').hidden = !!r;
  $('hand-run').hidden = !running;
  document.body.classList.toggle('tallying', running && !$('hand').hidden);
  if (!r) { $('hand-result').replaceChildren(); keysFor = ''; return; }
  if (running) {
    $('hand-result').replaceChildren();
    showKeys(r);
    $('hand-time').value = r.seconds;
    $('hand-clock').textContent = clock(r.seconds);
    $('hand-many').value = r.hand;
    $('hand-sum').textContent = `${r.hand} / 50`;
  } else if (keysFor !== 'result' + wasAccepted) showResult(r);
}

// A key for each class in each direction. What the device counts stays hidden:
// who sees it counts along.
function showKeys(r) {
  const line = plan.lines.find((l) => l.id === r.line);
  const n = (c, d) => r.cells?.find((x) => x.class === c && x.dir === d)?.hand ?? 0;
  if (keysFor !== r.line && line) {
    keysFor = r.line;
    $('hand-keys').replaceChildren(...['a_to_b', 'b_to_a'].map((d) => el('span', { class: 'dir wire' }, d)), ...line.classes.flatMap((c) => ['a_to_b', 'b_to_a'].map((d) => {
      const b = colour(el('button', { type: 'button', 'data-class': c, 'data-dir': d }, el('b', {}, '0'), t(c)), c);
      b.addEventListener('click', () => {
        navigator.vibrate?.(20);
        b.classList.add('hit');
        setTimeout(() => b.classList.remove('hit'), 120);
        tally('press', { class: c, dir: d });
      });
      return b;
    })));
  }
  for (const b of $('hand-keys').querySelectorAll('button')) {
    const v = n(b.dataset.class, b.dataset.dir);
    b.firstChild.textContent = v;
    b.setAttribute('aria-label', `${t(b.dataset.class)}, ${b.dataset.dir}: ${v}`);
  }
}

const clock = (s) => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
const percent = (v) => `${v > 0 ? '+' : v < 0 ? '−' : ''}${Math.abs(Math.round(v * 100))} %`;

function showResult(r) {
  keysFor = 'result' + wasAccepted;
  const figure = (v, what) => el('div', {}, el('b', {}, v), el('span', { class: 'quiet' }, what));
  const some = r.verdict !== 'few';
  const keep = el('button', { id: 'accept', class: 'main', disabled: !some || wasAccepted }, t('accept'));
  keep.addEventListener('click', async () => {
    try { const done = await post('tally/accept'); wasAccepted = true; showResult(done); } catch (e) { keep.after(el('p', { class: 'bad', role: 'alert' }, e.message)); }
  });
  $('hand-result').replaceChildren(
    el('div', { class: `verdict ${r.verdict}` }, el('h2', {}, t('verdict_' + r.verdict)), el('p', {}, el('span', { class: 'wire' }, r.line), `, ${clock(r.seconds)}: `, t(`verdict_${r.verdict}_is`)),
      el('div', { class: 'figures' }, figure(String(r.hand), t('by_hand')), figure(String(r.device), t('by_device')), figure(String(r.matched), t('matched'))),
      ...(r.hand ? [el('p', {}, el('b', {}, `${t('error')} ${percent(r.error)}`), ` · ${t('interval', { a: percent(r.low), b: percent(r.high) })}`),
        el('p', {}, el('b', {}, `${t('geh')} ${r.geh.toFixed(1)}`), ` · ${t('geh_is')}`)] : [])),
    el('div', { class: 'count' }, el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, ''), el('th', {}, t('by_hand')), el('th', {}, t('by_device')))),
      el('tbody', {}, ...(r.cells ?? []).map((c) => el('tr', {}, el('td', {}, dot(c.class), ' ', el('span', { class: 'wire quiet' }, c.dir)), el('td', {}, String(c.hand)), el('td', {}, String(c.device))))))),
    el('div', { class: 'bar' }, el('button', { onclick: () => { showTally(null); ended = true; } }, t('tally_again')), keep),
    ...(wasAccepted ? [el('p', { class: 'quiet' }, t('accepted'))] : []));
}
let ended = false; // a result that the engineer put away

// ---- The panel "Finish" ------------------------------------------------------

function showChecklist() {
  const measured = plan.heights.length === 2;
  $('checklist').replaceChildren(...[[saved, 'check_saved'], [measured, 'check_scale'], [hadTally, 'check_tally']]
    .map(([ok, key]) => el('li', { class: ok ? 'fine' : '' }, t(key))));
}

$('end').addEventListener('click', async () => {
  const b = $('end');
  if (!b.classList.contains('sure')) {
    b.classList.add('sure');
    b.textContent = t('sure');
    setTimeout(() => { b.classList.remove('sure'); b.textContent = t('end'); }, 4000);
    return;
  }
  try { await post('end'); over(); } catch (e) { complain(e); }
});
$('leave').addEventListener('click', async () => {
  stream.close();
  try { await post('leave'); } finally { location.href = '/?lang=' + lang; }
});

// ---- Tabs -------------------------------------------------------------------

const tabs = [...document.querySelectorAll('[role=tab]')];
function showTab(name) {
  for (const b of tabs) {
    const on = b.getAttribute('aria-controls') === name;
    b.setAttribute('aria-selected', on);
    b.tabIndex = on ? 0 : -1;
    $(b.getAttribute('aria-controls')).hidden = !on;
  }
  if (name !== 'draw') { arm(null); if (picked) pick(null); }
  document.body.classList.toggle('tallying', name === 'hand' && !$('hand-run').hidden);
  if (news) { showCounts(); showChecklist(); }
  window.scrollTo(0, 0);
  draw();
}
for (const b of tabs) {
  b.addEventListener('click', () => showTab(b.getAttribute('aria-controls')));
  b.addEventListener('keydown', (e) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!by) return;
    const next = tabs[(tabs.indexOf(b) + by + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}

// ---- News -------------------------------------------------------------------

let isOver = false;
function over() {
  isOver = true;
  stream.close();
  banner(t('over'));
  $('picture')?.remove();
  for (const b of document.querySelectorAll('main button, main select, main input')) b.disabled = true;
}

function banner(what) {
  const b = $('banner');
  if (b.textContent !== (what ?? '')) b.textContent = what ?? '';
  b.hidden = !what;
}

let warned = false;
function hear(e) {
  news = JSON.parse(e.data);
  banner(news.fault && t('fault_' + news.fault));
  $('left').textContent = clock(news.left);
  document.querySelector('.clock').classList.toggle('soon', news.left <= 60);
  if (news.left <= 60 && !warned) { warned = true; $('saved').textContent = t('soon'); }
  if (news.left <= 0) return over();
  if (news.size[0]) $('stage').style.aspectRatio = `${news.size[0]} / ${news.size[1]}`;
  $('veil').hidden = sketches && news.watching;
  if (news.number > number && !dragging) fetch('/plan').then((r) => r.json()).then((p) => { if (!dragging) take(p, true); }); // the other viewer drew
  if (!dragging) draw();
  showCounts();
  showAdvice();
  showChecklist();
  if (!news.tally) ended = false;
  if (!ended || (news.tally && !news.tally.done)) { ended = false; if (news.tally || !$('hand-run').hidden) showTally(news.tally); }
}

let stream;
function listen() {
  stream = new EventSource('/news');
  stream.onmessage = hear;
  stream.onerror = () => {
    if (isOver) return;
    banner(news && news.left <= 2 ? t('over') : t('lost'));
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (!isOver) location.reload(); }, 3000);
  };
}

// The picture's stream ends when the other tab opens it, or the link breaks.
$('picture')?.addEventListener('error', () => setTimeout(() => { if (!isOver) $('picture').src = '/picture?' + Date.now(); }, 1500));

if (sketches) $('key').append(...usual.map((c) => colour(el('span', {}, t(c)), c)));
else $('key').remove();
new ResizeObserver(() => draw()).observe($('stage'));
take(await (await fetch('/plan')).json(), true);
listen();
