// The panel "Draw": the lines and zones, and the properties of the selected one.

import { $, t, el, swatch, allClasses, kinds, usual } from './words.js';
import { now, everything, of, nameOf, isPicked, isWrong, pick, step, changed, remove, slug, setClass, measure, presets, classesFor, fitting } from './plan.js';
import { arm, tool, preset, choosePreset, onArm, renewHandles } from './stage.js';

for (const k of ['line', 'zone']) if (!kinds.includes(k)) document.querySelector(`[data-tool="${k}"]`).remove();

$('key')?.append(...usual.map(swatch));

export function showHint() {
  if ($('key')) $('key').hidden = !!now.picked;
  const keys = matchMedia('(pointer: fine)').matches ? ' ' + t('hint_keys') : '';
  $('hint').textContent = tool ? t(`hint_${tool}`) : now.picked ? t('hint_picked') + keys : t('hint_none');
}

// showPresets offers what the tool may draw. What the policy has no room for is told.
function showPresets() {
  const box = $('presets'), all = presets[tool] ?? [];
  box.hidden = !all.length;
  box.replaceChildren(...all.filter((p) => classesFor(p).length).map((p) => {
    const fit = fitting(classesFor(p));
    return el('button', { type: 'button', 'data-preset': p, 'aria-pressed': String(p === preset), class: fit.length ? '' : 'used', onclick: () => { choosePreset(p); showPresets(); } },
      t(`preset_${p}`), el('small', {}, fit.length ? fit.map((c) => t(c)).join(', ') : t('preset_used')));
  }));
}

onArm(() => { showPresets(); showHint(); });

export function showItems() {
  const all = everything();
  $('items').replaceChildren(...all.map((p) => el('li', {}, el('button', {
    type: 'button', class: isWrong(p) ? 'bad' : '', 'aria-pressed': String(isPicked(p)), onclick: () => pick(isPicked(p) ? null : p),
  }, nameOf(p)))));
  if (!all.length) $('items').append(el('li', { class: 'quiet' }, t('nothing')));
}

export function showProps() {
  const f = $('props'), p = now.picked;
  f.hidden = !p;
  if (!p) return f.replaceChildren();
  const o = of(p), parts = [], bar = el('div', { class: 'bar' });
  if ('id' in o) parts.push(...nameField(o), el('fieldset', { class: 'chips' }, el('legend', {}, t('counts_what')), ...allClasses.map((c) => chip(o, c))));
  if (p.kind === 'height') parts.push(...lengthField(o));
  if (p.kind === 'line') bar.append(el('button', { type: 'button', id: 'swap', onclick: () => { step(); [o.from, o.to] = [o.to, o.from]; changed(); } }, t('swap')));
  if (o.polygon?.length > 3) {
    bar.append(el('button', { type: 'button', onclick: () => { step(); o.polygon.splice(p.corner ?? o.polygon.length - 1, 1); p.corner = undefined; pick(p); changed(); } }, t('less_corner')));
  }
  bar.append(el('button', { type: 'button', id: 'remove', onclick: () => remove(p) }, t('remove')));
  f.replaceChildren(...parts, bar);
}
$('props').addEventListener('submit', (e) => e.preventDefault());

function nameField(o) {
  return [el('label', { for: 'name' }, t('name')), el('input', {
    id: 'name', type: 'text', value: o.id, autocapitalize: 'none', autocomplete: 'off', spellcheck: 'false', maxlength: 32, class: 'wire',
    oninput: (e) => { step('name'); o.id = slug(e.target.value); showItems(); changed(); },
    onchange: (e) => { e.target.value = o.id; },
  })];
}

function lengthField(o) {
  return [el('label', { for: 'metres' }, `${t(o.across ? 'across' : 'upright')}: ${t('metres')}`), el('input', {
    id: 'metres', type: 'number', inputmode: 'decimal', min: 0.5, max: 20, step: 0.05, value: o.length ?? o.metres,
    oninput: (e) => {
      const v = Number(e.target.value);
      if (!(v > 0)) return;
      step('metres');
      if (o.across) { o.length = v; measure(o); } else o.metres = v;
      changed();
    },
  })];
}

function chip(o, c) {
  const input = el('input', { type: 'checkbox', value: c, checked: o.classes.includes(c) });
  input.addEventListener('change', () => {
    setClass(o, c, input.checked);
    showProps();
    changed();
    document.querySelector(`.chip input[value="${c}"]`)?.focus();
  });
  return el('label', { class: 'chip' }, input, swatch(c));
}

// showPicked shows the selected line or zone, after another choice.
let last = null;
export function showPicked() {
  if (now.picked && tool) arm(null);
  renewHandles();
  showItems(); showProps(); showHint();
  if (now.picked && now.picked !== last) $('props').scrollIntoView({ block: 'nearest' });
  last = now.picked;
}
