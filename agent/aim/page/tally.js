// The panel "Tally": a count by hand beside that of the device, and its result.

import { $, t, el, shape, colour, swatch, post, clock, percent } from './words.js';
import { now, heading } from './plan.js';

const enoughForGEH = 900; // seconds: a shorter count makes no hourly flow
let putAway = false; // a result that the engineer has seen
let keysFor = '';

export function showLines() {
  const s = $('hand-line'), was = s.value;
  s.replaceChildren(...now.plan.lines.map((l) => el('option', { value: l.id }, l.id)));
  if (now.plan.lines.some((l) => l.id === was)) s.value = was;
  $('hand-go').disabled = !now.plan.lines.length;
}

const tally = (path, body) => post('tally/' + path, body).then(showTally).catch((e) => { $('hand-wrong').textContent = e.message; });
$('hand-go').addEventListener('click', () => {
  $('hand-wrong').textContent = '';
  putAway = false;
  keysFor = '';
  tally('start', { line: $('hand-line').value });
});
$('hand-undo').addEventListener('click', () => tally('undo'));
$('hand-end').addEventListener('click', () => tally('finish'));

export const isTallying = () => !$('hand-run').hidden;

// hearTally shows the tally of a status of the device.
export function hearTally(news) {
  if (news.tally && !news.tally.done) putAway = false;
  if (putAway || (!news.tally && !isTallying())) return;
  showTally(news.tally);
}

function showTally(r) {
  const running = !!r && !r.done;
  $('hand-start').hidden = !!r;
  $('hand-run').hidden = !running;
  document.body.classList.toggle('tallying', running && !$('hand').hidden);
  if (!r) { $('hand-result').replaceChildren(); keysFor = ''; return; }
  if (!running) return showResult(r);
  $('hand-result').replaceChildren();
  showKeys(r);
  $('hand-time').value = r.seconds;
  $('hand-clock').textContent = clock(r.seconds);
  $('hand-many').value = r.hand;
  $('hand-sum').textContent = `${r.hand} / 50`;
}

// arrow is a line's direction as it is on the screen.
export function arrow(line, dir) {
  const { angle } = heading(line, dir);
  const s = shape('svg', { viewBox: '0 0 24 24', class: 'arrow', 'aria-hidden': 'true' });
  s.append(shape('path', { d: 'M3 12h17M13 5l7 7-7 7', transform: `rotate(${angle} 12 12)` }));
  return s;
}

// A key for each class in each direction, that to the left on the left. What the device
// counts stays hidden: the engineer would count along.
function showKeys(r) {
  const line = now.plan.lines.find((l) => l.id === r.line);
  const n = (c, d) => r.cells?.find((x) => x.class === c && x.dir === d)?.hand ?? 0;
  const key = line && r.line + JSON.stringify([line.from, line.to, line.classes]);
  if (line && keysFor !== key) {
    keysFor = key;
    const turned = Math.cos(heading(line, 'a_to_b').angle * Math.PI / 180) > 0.01;
    const dirs = turned ? ['b_to_a', 'a_to_b'] : ['a_to_b', 'b_to_a'];
    $('hand-keys').replaceChildren(...dirs.map((d) => el('span', { class: 'dir' }, arrow(line, d), heading(line, d).words)), ...line.classes.flatMap((c) => dirs.map((d) => tallyKey(line, c, d))));
  }
  for (const b of $('hand-keys').querySelectorAll('button')) {
    const v = n(b.dataset.class, b.dataset.dir);
    b.firstChild.textContent = v;
  }
}

function tallyKey(line, c, d) {
  const b = colour(el('button', { type: 'button', 'data-class': c, 'data-dir': d }, el('b', {}, '0'), ' ', el('span', {}, arrow(line, d), t(c)), el('span', { class: 'unseen' }, ', ' + heading(line, d).words)), c);
  b.addEventListener('click', () => {
    navigator.vibrate?.(20);
    b.classList.add('hit');
    setTimeout(() => b.classList.remove('hit'), 120);
    tally('press', { class: c, dir: d });
  });
  return b;
}

// verdictOf names a result for what it is: too few, good, poor or undecided, and by how much.
export const verdictOf = (r) => (r.verdict === 'few' ? t('verdict_few') : `${t('verdict_' + r.verdict)}, ${percent(r.error)}`);

const isKept = (line) => now.news?.results?.some((r) => r.line === line && r.kept) ?? false;

function showResult(r) {
  const kept = isKept(r.line), over = !!now.news?.over, key = `result ${r.line} ${r.seconds} ${kept} ${over}`;
  if (keysFor === key) return;
  keysFor = key;
  const figure = (v, what) => el('div', {}, el('b', {}, v), el('span', { class: 'quiet' }, what));
  const geh = el('p', {}, el('b', {}, `${t('geh')} ${r.geh.toFixed(1)}`), ` · ${t('geh_is')}`);
  const line = now.plan.lines.find((l) => l.id === r.line);
  const way = (d) => (line ? [arrow(line, d), el('span', { class: 'unseen' }, heading(line, d).words)] : [d]);
  $('hand-result').replaceChildren(
    el('div', { class: `verdict ${r.verdict}` }, el('h2', {}, verdictOf(r)), el('p', {}, el('span', { class: 'wire' }, r.line), `, ${clock(r.seconds)}: `, t(`verdict_${r.verdict}_is`)),
      el('div', { class: 'figures' }, figure(String(r.hand), t('by_hand')), figure(String(r.device), t('by_device')), figure(String(r.matched), t('matched'))),
      ...(r.hand && r.verdict !== 'few' ? [el('p', {}, el('b', {}, `${t('error')} ${percent(r.error)}`), ` · ${t('interval', { a: percent(r.low), b: percent(r.high) })}`)] : []),
      ...(r.seconds >= enoughForGEH ? [geh] : [])),
    ...resultBar(r, kept, over),
    el('div', { class: 'count' }, el('table', {}, el('thead', {}, el('tr', {}, el('td', {}), el('th', { scope: 'col' }, t('by_hand')), el('th', { scope: 'col' }, t('by_device')))),
      el('tbody', {}, ...(r.cells ?? []).map((c) => el('tr', {}, el('th', { scope: 'row' }, swatch(c.class), ' ', ...way(c.dir)), el('td', {}, String(c.hand)), el('td', {}, String(c.device))))))));
}

// resultBar offers to keep a result, whatever it is, while the session lasts.
function resultBar(r, kept, over) {
  const said = kept ? [el('p', { class: 'quiet' }, t('accepted'))] : [];
  if (over) return said;
  const keep = el('button', { id: 'accept', class: 'main', disabled: r.verdict === 'few' || kept }, t('accept'));
  keep.addEventListener('click', async () => {
    keep.disabled = true;
    try { await post('tally/accept'); } catch (e) { keep.disabled = false; keep.parentNode.after(el('p', { class: 'bad', role: 'alert' }, e.message)); }
  });
  return [el('div', { class: 'bar' }, el('button', { id: 'hand-again', onclick: () => { putAway = true; showTally(null); } }, t('tally_again')), keep), ...said];
}
