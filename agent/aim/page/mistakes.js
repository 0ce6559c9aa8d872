// What keeps a plan from being saved, in a phone's words, with buttons that mend it; and
// the bar with Save and Undo.

import { $, t, el, ask, allClasses, parts, coarseOf, usual } from './words.js';
import { now, of, nameOf, pick, step, changed, remove, elementOf, byName, setClass, fitting, freeName, makeBox, canStepBack, stepBack, save, undoSave } from './plan.js';
import { arm } from './stage.js';

let showTab = () => {};
export const onShow = (f) => { showTab = f; };

const act = (label, change) => [label, () => { change(); pick(now.picked); changed(); }];
const off = (id, c) => act(t('fix_off', { l: id }), () => {
  const p = byName(id);
  for (const x of [...of(p).classes]) if (coarseOf(x) === coarseOf(c)) setClass(of(p), x, false);
});
const here = (c) => (c.streams ?? []).filter(byName);

// fixes have the words and the ways out of each kind of mistake, by the rule of the policy
// or by the end of the key.
const fixes = {
  'clear.overlap': (c) => c.limit
    ? [t('wrong_overlap', { c: t('many_' + c.class), n: c.streams.length, m: c.limit, k: c.streams.length - c.limit }), ...here(c).map((id) => off(id, c.class))]
    : [t('wrong_mixed', { c: t('many_' + c.class) }), act(t('fix_whole'), () => {
      for (const id of here(c)) { const o = of(byName(id)); parts.forEach((x) => setClass(o, x, false)); setClass(o, c.class, true); }
    })],
  'camera.masks_required': () => [t('wrong_masks'), [t('fix_mask'), () => { pick(null); arm('mask'); }]],
  'count.streams': (c, p) => [t('wrong_kind', { l: nameOf(p) }), removal(p)],
  'count.classes': (c, p) => [t('wrong_class', { l: nameOf(p) }), act(t('fix_allowed'), () => {
    step();
    of(p).classes = of(p).classes.filter((x) => allClasses.includes(x));
    if (!of(p).classes.length) of(p).classes = fitting(usual);
  })],
  id: (c, p) => [t('wrong_id', { l: nameOf(p) }), act(t('fix_id'), () => { step(); const was = of(p).id; of(p).id = ''; of(p).id = freeName(was || t(p.kind)); })],
  classes: (c, p) => [t('wrong_empty', { l: nameOf(p) }), ...(fitting(usual).length ? [act(t('fix_usual', { c: fitting(usual).map((x) => t(x)).join(', ') }), () => { step(); of(p).classes = fitting(usual); })] : []), removal(p)],
  polygon: (c, p) => [t('wrong_polygon', { l: nameOf(p) }), act(t('fix_box'), () => { step(); makeBox(of(p)); }), removal(p)],
  to: (c, p) => [t('wrong_to', { l: nameOf(p) }), removal(p)],
  height: (c) => [t('wrong_height'), act(t('fix_height'), () => { step(); now.plan.heights = []; now.picked = null; })],
};
const removal = (p) => [t('remove') + ': ' + nameOf(p), () => remove(p)];

// explain returns the words of a complaint and what mends it.
function explain(c) {
  const p = elementOf(c);
  const end = /(?:^|\.)(id|classes|polygon|to|height)(?:$|\[)/.exec((c.key ?? '').replace(/^(line|zone|mask)\[\d+\]\.?/, ''))?.[1];
  const fix = fixes[c.rule] ?? (p || end === 'height' ? fixes[end] : null);
  const needs = fix && fix.length > 1; // the element
  if (fix && (!needs || p)) return fix(c, p);
  return [`${p ? nameOf(p) + ': ' : ''}${c.want}${c.hint ? ` (${c.hint})` : ''}`, ...(p ? [removal(p)] : [])];
}

let shown = '';
export function showWrongs() {
  const key = JSON.stringify([now.complaints, now.complaints.map((c) => elementOf(c) && nameOf(elementOf(c)))]);
  if (key === shown) return;
  shown = key;
  $('wrongs').replaceChildren(...now.complaints.map((c) => {
    const [words, ...ways] = explain(c);
    return el('div', { class: 'wrong' }, el('p', {}, words), el('div', { class: 'ways' }, ...ways.map(([label, do_]) => el('button', { type: 'button', onclick: do_ }, label))));
  }));
}

// ---- Save and Undo -----------------------------------------------------------------

export function showSaved() {
  const n = now.complaints.length, b = $('save');
  b.textContent = n ? t(n === 1 ? 'mistake' : 'mistakes', { n }) : t(now.saved ? 'is_saved' : 'save');
  b.className = n ? 'bad-bar' : now.saved ? '' : 'main';
  b.disabled = !n && now.saved;
  const back = canStepBack();
  $('undo').disabled = !back && now.undoes < 1;
  $('undo').lastElementChild.textContent = t(back || now.undoes < 1 ? 'undo' : 'undo_save');
  const said = n ? '' : now.saved ? '' : t('unsaved');
  if (!$('saved').dataset.fresh) $('saved').textContent = said;
}

// say tells a screen reader the last step, until something else happens.
function say(words) {
  $('saved').textContent = words;
  $('saved').dataset.fresh = '1';
  setTimeout(() => { delete $('saved').dataset.fresh; }, 3000);
}

$('save').addEventListener('click', async () => {
  if (now.complaints.length) {
    showTab('draw');
    $('wrongs').scrollIntoView({ block: 'start' });
    return;
  }
  if (await save()) say(t('saved'));
});
$('undo').addEventListener('click', async () => {
  showTab('draw');
  if (canStepBack()) return stepBack();
  await undoSave();
  say(t('undone'));
});

// leaving does something that ends the page, after it asked what becomes of unsaved lines.
export function leaving(question, act, label) {
  if (now.saved) return ask(question, [label, 'main', act], [t('back'), '']);
  const ways = [[t('leave_unsaved'), 'bad-bar', act], [t('back'), '']];
  if (!now.complaints.length) ways.unshift([t('save_first'), 'main', async () => { if (await save()) await act(); }]);
  ask(t(now.complaints.length ? 'ask_mistakes' : 'ask_unsaved'), ...ways);
}
