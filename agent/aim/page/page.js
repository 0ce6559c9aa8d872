// The commissioning page. It draws over silhouettes and asks the device for everything
// else: the counts, the faults, the time left.

import { $, t, lang, el, swatch, post, clock, sketches } from './words.js';
import { now, onChange, take, reload, complain, heading, pick, isSettled } from './plan.js';
import { draw, arm, onTap, tool } from './stage.js';
import { showHint, showItems, showPicked } from './props.js';
import { showWrongs, showSaved, leaving, onShow } from './mistakes.js';
import { showLines, hearTally, isTallying, arrow, verdictOf } from './tally.js';

onChange((what) => {
  if (what === 'pick') showPicked();
  if (what === 'plan') { showItems(); showHint(); showWrongs(); showLines(); }
  showSaved();
  showBar();
  draw();
});

// ---- The panel "Counts" -------------------------------------------------------

function showCounts() {
  const news = now.news;
  if ($('live').hidden) return;
  const box = [];
  for (const l of now.plan.lines) {
    const n = (c, d) => (news.counts[l.id] ?? []).find((x) => x.class === c && x.dir === d)?.device ?? 0;
    const way = (d) => el('th', { scope: 'col' }, arrow(l, d), el('span', { class: 'way' }, ' ' + heading(l, d).words));
    box.push(table(l.id, [way('a_to_b'), way('b_to_a')], l.classes.map((c) => [c, n(c, 'a_to_b'), n(c, 'b_to_a')])));
  }
  for (const z of now.plan.zones) box.push(table(z.id, [el('th', { scope: 'col' }, t('present'))], z.classes.map((c) => [c, news.zones[z.id]?.[c] ?? 0])));
  if (!box.length) box.push(el('p', { class: 'quiet' }, t('nothing')));
  $('counts').replaceChildren(...box);
  $('health').textContent = t('health', { n: news.pictures, v: news.pace, w: news.viewers });
}

const table = (name, heads, rows) => el('section', { class: 'count' }, el('h2', { class: 'wire' }, name), el('table', {},
  el('thead', {}, el('tr', {}, el('td', {}), ...heads)),
  el('tbody', {}, ...rows.map(([c, ...ns]) => el('tr', {}, el('th', { scope: 'row' }, swatch(c)), ...ns.map((n) => el('td', {}, String(n))))))));

let advised = '';
function showAdvice() {
  const as = now.news.advice.map((a) => ({ warn: a.warn, fine: a.key === 'enough', words: t(a.key === 'scale' ? 'scale_advice' : a.key, { l: a.line, v: Math.round(a.value ?? 0) }) }));
  if (!now.news.watching) as.unshift({ warn: true, words: noPicture() });
  if (!as.some((a) => a.warn)) as.unshift({ fine: true, words: t('all_well') });
  as.sort((a, b) => b.warn - a.warn);
  const said = JSON.stringify(as);
  if (said === advised) return; // said once
  advised = said;
  $('advice').replaceChildren(...as.map((a) => el('li', { class: a.warn ? 'warn' : a.fine ? 'fine' : '' }, a.words)));
}
const noPicture = () => (now.news?.trouble ? t('no_camera_why', { w: now.news.trouble }) : t('no_camera'));

$('zero').addEventListener('click', () => post('reset').catch(complain));

// ---- The panel "Finish" ---------------------------------------------------------

let checked = '';
function showChecklist() {
  const results = now.news.results.map((r) => [r.kept, t(r.kept ? 'check_kept' : 'check_result', { l: r.line, v: verdictOf(r) }), r.verdict]);
  const all = [[now.saved, t('check_saved')], [now.plan.heights.length === 2, t('check_scale')], ...(results.length ? results : [[false, t('check_tally')]])];
  const said = JSON.stringify(all);
  if (said === checked) return;
  checked = said;
  $('checklist').replaceChildren(...all.map(([ok, words]) => el('li', { class: ok ? 'fine' : '' }, words)));
}

$('end').addEventListener('click', () => leaving(t('ask_end'), async () => { try { await post('end'); } catch (e) { complain(e); } }, t('end')));
$('leave').addEventListener('click', () => leaving(t('ask_leave'), async () => {
  isOver = true;
  stream.close();
  try { await post('leave'); } finally { location.href = '/?lang=' + lang; }
}, t('leave')));
$('more').addEventListener('click', () => post('extend').catch(complain));
window.addEventListener('beforeunload', (e) => { if (!now.saved && !isOver && !moving) e.preventDefault(); });
let moving = false; // to the same page: the device has the drawing
for (const a of document.querySelectorAll('.tongues a')) a.addEventListener('click', () => { moving = true; });

// ---- Tabs -------------------------------------------------------------------------

const tabs = [...document.querySelectorAll('[role=tab]')];
function showTab(name) {
  for (const b of tabs) {
    const on = b.getAttribute('aria-controls') === name;
    b.setAttribute('aria-selected', on);
    b.tabIndex = on ? 0 : -1;
    $(b.getAttribute('aria-controls')).hidden = !on;
  }
  if (name !== 'draw') { if (tool) arm(null); if (now.picked) pick(null); }
  document.body.classList.toggle('tallying', name === 'hand' && isTallying());
  if (now.news) { showCounts(); showChecklist(); }
  $('panels').scrollTop = 0;
  showBar();
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
onTap(showTab);
onShow(showTab);

// showBar shows Save while something is drawn or not saved.
function showBar() { $('savebar').hidden = isOver || ($('draw').hidden && now.saved); }

// ---- News -------------------------------------------------------------------------

let isOver = false;
function over(news) {
  isOver = true;
  stream.close();
  $('ask').close();
  $('left').textContent = clock(0);
  if (now.news) now.news.objects = [];
  banner(t(now.saved ? 'over' : 'over_unsaved'));
  $('picture')?.remove();
  $('more').hidden = true;
  document.body.classList.add('over');
  showBar();
  if (news?.tally) { hearTally(news); showTab('hand'); }
  for (const b of document.querySelectorAll('main button, main select, main input')) b.disabled = true;
}

function banner(what) {
  const b = $('banner');
  if (b.textContent !== (what ?? '')) b.textContent = what ?? '';
  b.hidden = !what;
}

const soon = 120; // seconds before the end at which it is told

function hear(e) {
  const news = now.news = JSON.parse(e.data);
  $('left').textContent = clock(news.left);
  document.querySelector('.clock').classList.toggle('soon', news.left <= soon);
  $('more').hidden = !news.more;
  if (news.size[0]) {
    $('stage').style.aspectRatio = `${news.size[0]} / ${news.size[1]}`;
    document.body.style.setProperty('--ratio', news.size[0] / news.size[1]);
  }
  showAdvice();
  showChecklist();
  if (news.over) return over(news);
  banner([news.left <= soon && t(now.saved ? 'soon' : 'soon_unsaved'), news.fault && t('fault_' + news.fault)].filter(Boolean).join(' '));
  const veil = sketches ? (news.watching ? '' : noPicture()) : t('no_sketches');
  if ($('veil').textContent !== veil) $('veil').textContent = veil;
  $('veil').hidden = !veil;
  if (news.number > now.number && isSettled()) reload(); // the other viewer drew
  if (!now.dragging) draw();
  showCounts();
  hearTally(news);
}

let stream;
function listen() {
  stream = new EventSource('/news');
  stream.onmessage = hear;
  stream.onerror = () => {
    if (isOver) return;
    if (now.news && now.news.left <= 2) return over(now.news);
    banner(t('lost'));
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (!isOver) { moving = true; location.reload(); } }, 3000);
  };
}

// The picture's stream ends when the other tab opens it, or the link breaks.
$('picture')?.addEventListener('error', () => setTimeout(() => { if (!isOver) $('picture').src = '/picture?' + Date.now(); }, 1500));

// A line that is drawn before the plan is here would be sent as the whole plan.
take(await (await fetch('/plan')).json(), true);
for (const b of document.querySelectorAll('[data-tool]')) b.disabled = false;
listen();
