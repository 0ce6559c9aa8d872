// Words, elements and requests: what the other modules of the page share.

export const $ = (id) => document.getElementById(id);
export const lang = document.documentElement.lang;
const words = await (await fetch('/words.json?lang=' + lang)).json();

// t returns the words of a key, with {x} replaced by the member x.
export const t = (key, members = {}) => (words[key] ?? key).replace(/\{(\w)\}/g, (_, k) => members[k] ?? '');

const set = document.body.dataset;
const list = (s) => (s ? s.split(',') : []);
export const allClasses = list(set.classes); // that the policy allows
export const kinds = list(set.kinds); // line, zone: likewise
export const overlap = Number(set.overlap); // in how many places it lets one object be counted
export const sketches = set.sketches === 'true';
export const parts = ['motorcycle', 'car', 'heavy']; // of vehicle
export const coarseOf = (c) => (parts.includes(c) ? 'vehicle' : c);
const coarse = allClasses.filter((c) => list(set.coarse).includes(c));
export const usual = coarse.length ? coarse : allClasses;

// post sends a request that changes something. It throws the device's words.
export async function post(path, body = {}) {
  const r = await fetch('/' + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Kerb-Token': set.token }, body: JSON.stringify(body),
  });
  const answer = await r.json().catch(() => ({ error: r.statusText }));
  if (!r.ok) throw new Error(answer.error ?? r.statusText);
  return answer;
}

export function el(name, attrs = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attrs)) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, '');
    else if (v !== false && v != null) e.setAttribute(k, v);
  }
  e.append(...children);
  return e;
}

export function shape(name, attrs) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  return e;
}

export const colour = (e, c) => { e.style.setProperty('--c', `var(--${c})`); return e; };
export const swatch = (c) => colour(el('span', { class: 'swatch' }, t(c)), c);
export const clock = (s) => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
export const percent = (v) => `${v > 0 ? '+' : v < 0 ? '−' : ''}${Math.abs(Math.round(v * 100))}\u00a0%`;

// ask shows a question with answers: [words, class, what to do].
export function ask(question, ...answers) {
  const d = $('ask');
  $('ask-text').textContent = question;
  $('ask-answers').replaceChildren(...answers.map(([text, look, act]) => el('button', { type: 'button', class: look, onclick: () => { d.close(); act?.(); } }, text)));
  d.showModal();
}
