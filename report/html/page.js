// What a script adds to a page that is whole without it: a filter of the steps, a range of
// builds that all charts of a pipeline share, and a panel with the build, or the step, under
// the cursor. What is chosen stands behind the # of the address.
(() => {
'use strict';
const all = (selector, at = document) => [...at.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
};
const draw = (tag, attributes) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
};
const main = document.querySelector('main');

// As the rest of the page writes times.
const time = ms => {
  const two = (a, unit, b, smaller) => `${a} ${unit}` + (b ? ` ${b} ${smaller}` : '');
  if (ms < 0) return '−' + time(-ms);
  if (ms === 0) return '<1 ms';
  if (ms < 1000) return ms + ' ms';
  if (ms < 9995) return +(ms / 1000).toFixed(2) + ' s';
  const s = Math.round(ms / 1000), m = Math.round(ms / 60000);
  if (s < 120) return s + ' s';
  return s < 3600 ? two(Math.floor(s / 60), 'm', s % 60, 's') : two(Math.floor(m / 60), 'h', m % 60, 'm');
};
const longer = ms => (ms > 0 ? '+' : '') + time(ms);
const count = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

// The panel. Its first lines are read out when the keyboard chose what it shows.
const told = make('div', {'aria-live': 'polite'});
const more = make('div');
const keys = make('div', {class: 'keys'});
const panel = make('aside', {class: 'empty', 'aria-label': 'Under the cursor', tabindex: 0}, told, keys, more);
const button = (words, act) => {
  const b = make('button', {type: 'button'}, words);
  b.addEventListener('click', act);
  return b;
};
const copied = make('span', {role: 'status'});
const copy = async () => {
  const text = told.innerText + '\n' + more.innerText;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(panel);
    document.execCommand('copy');
  }
  copied.textContent = 'Copied';
};
let chosen = null; // what arrows go on from: {go(by), close(), hash(parameters)}
const close = () => {
  chosen?.close();
  chosen = null;
  panel.classList.add('empty');
  told.replaceChildren(make('p', {class: 'dim'}, `Point at a ${histories.length ? 'chart' : 'row'}, or press ← or →, to see its values here. A click keeps them.`));
  more.replaceChildren();
  keys.hidden = true;
  remember();
};
const show = (by, quiet, head, rest) => {
  if (chosen && chosen !== by) chosen.close();
  chosen = by;
  told.setAttribute('aria-live', quiet ? 'off' : 'polite');
  panel.classList.remove('empty');
  told.replaceChildren(...head);
  more.replaceChildren(...rest);
  copied.textContent = '';
  keys.hidden = false;
};
keys.append(button('← Before', () => chosen.go(-1)), button('Next →', () => chosen.go(1)), button('Copy', copy), button('Close', close), copied);

// The filter, by words in the names of steps and of their stages.
const tables = all('table.steps');
const input = make('input', {type: 'search', 'aria-keyshortcuts': '/', placeholder: 'Filter steps ( / )'});
const found = make('span', {role: 'status', class: 'dim'});
const filter = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0, of = 0;
  for (const table of tables) {
    let stage = null;
    for (const row of table.tBodies[0].rows) {
      if (row.classList.contains('stage')) {
        stage = row;
        stage.hidden = words.length > 0;
        continue;
      }
      const name = ((stage ? stage.textContent + ' ' : '') + row.cells[0].textContent).toLowerCase();
      row.hidden = !words.every(w => name.includes(w));
      of++;
      if (row.hidden) continue;
      shown++;
      if (stage) stage.hidden = false;
    }
  }
  found.textContent = words.length ? `${shown} of ${count(of, 'step')}` : '';
};
input.addEventListener('input', () => { filter(); remember(); });

// A pipeline over its builds.
const histories = [];
const follow = (section, data) => {
  const n = data.took.length, names = data.names.split('\n');
  let sum = 0;
  const starts = data.starts.map(s => sum += s);
  const places = new Map(); // of the builds that are told, in the values of steps
  for (const [first, last] of data.told) for (let i = first; i <= last; i++) places.set(i, places.size);
  const date = (i, length) => starts[i] > 0 ? new Date(starts[i] * 1000).toISOString().slice(0, length).replace('T', ' ') : '';
  const day = starts[n - 1] - starts[0] < 72 * 3600 ? 16 : 10; // letters of a date that tell builds apart
  const when = i => date(i, day) || `build ${i + 1}`;
  const key = i => starts[i] > 0 ? new Date(starts[i] * 1000).toISOString().slice(0, 19) : 'n' + i;
  const find = (text, last) => {
    if (!text) return -1;
    if (text[0] === 'n') return Math.min(+text.slice(1) || 0, n - 1);
    const at = Date.parse(text + 'Z') / 1000;
    return last ? starts.findLastIndex(s => s <= at) : starts.findIndex(s => s >= at);
  };
  const usual = (track, i) => (track.levels.findLast(l => l[0] <= i) || track.levels[0] || [0, 0])[1];
  const charts = all('svg.track', section).map(svg => {
    const cursor = draw('line', {class: 'cursor', y1: 12, y2: svg.getAttribute('height') - 14, stroke: 'currentColor', visibility: 'hidden'});
    const brush = draw('rect', {class: 'brush', y: 16, height: 0, fill: 'currentColor', 'fill-opacity': .2});
    svg.append(cursor, brush);
    return {svg, cursor, brush, plots: all('.plot', svg), words: all('[data-at]', svg), track: data.tracks[svg.dataset.track], top: +svg.dataset.top};
  });
  const rows = all(':scope > details:not(.twin) tbody > tr', section); // newest first
  let from = 0, to = n - 1, at = -1, kept = false;

  const percent = i => (i - from) / (to - from + 1) * 100;
  const within = i => Math.max(0, Math.min(n - 1, Math.round(i) || 0));
  const range = (a, b) => {
    [from, to] = [within(Math.min(a, b)), within(Math.max(a, b))];
    const single = to - from < 700; // each build has some room
    for (const c of charts) {
      for (const p of c.plots) p.setAttribute('viewBox', `${from} 0 ${to - from + 1} ${p.getAttribute('viewBox').split(' ')[3]}`);
      for (const w of c.words) {
        const x = percent(+w.dataset.at);
        w.setAttribute('x', x + '%');
        w.setAttribute('visibility', x < 0 || x > 100 ? 'hidden' : 'visible');
      }
      for (const [end, i] of [['from', from], ['to', to]]) {
        const word = c.svg.querySelector('.' + end);
        if (word) word.textContent = when(i);
      }
      if (single && !c.each) {
        const took = i => c.track.took ? c.track.took[places.get(i)] : data.took[i];
        const dots = [...(c.track.took ? places.keys() : data.took.keys())].filter(i => took(i) > 0);
        c.each = draw('path', {class: 'each', 'stroke-width': 4, 'stroke-linecap': 'round', 'vector-effect': 'non-scaling-stroke',
          d: dots.map(i => `M${i}.5 ${(100 - Math.min(took(i) / c.top, 1) * 96).toFixed(1)}h0`).join('')});
        c.plots[0].append(c.each);
      }
      c.each?.setAttribute('visibility', single && to - from < n - 1 ? 'visible' : 'hidden');
    }
    rows.forEach((row, k) => row.hidden = n - 1 - k < from || n - 1 - k > to);
    controls();
    point();
  };
  const point = () => {
    for (const c of charts) {
      const x = percent(at + .5) + '%';
      c.cursor.setAttribute('x1', x);
      c.cursor.setAttribute('x2', x);
      c.cursor.setAttribute('visibility', at < from || at > to ? 'hidden' : 'visible');
    }
  };
  const choose = (i, quiet) => {
    at = within(i);
    const link = data.links && data.links[places.get(at)];
    const name = link ? make('a', {href: data.root + link, rel: 'noreferrer'}, names[at]) : names[at];
    const steps = [];
    const k = places.get(at);
    if (k !== undefined) {
      for (const t of data.tracks.slice(1)) {
        if (t.took[k] >= 0) steps.push([t.name, t.took[k], t.took[k] - usual(t, at)]);
      }
      steps.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]) || b[1] - a[1]);
    }
    const table = make('table', {}, make('thead', {}, make('tr', {}, ...['Step', 'Took', 'Usually'].map((w, i) => make('th', {scope: 'col', class: i ? 'n' : ''}, w)))),
      make('tbody', {}, ...steps.slice(0, 12).map(s => make('tr', {}, make('td', {}, make('code', {}, s[0])), make('td', {class: 'n'}, time(s[1])), make('td', {class: 'n'}, time(s[1] - s[2]))))));
    const before = usual(data.tracks[0], at);
    show(self, quiet, [
      make('h2', {}, name),
      make('p', {}, make('strong', {}, time(data.took[at])), `, usually ${time(before)} (${longer(data.took[at] - before)})`),
      make('p', {class: 'dim'}, [date(at, 16) && date(at, 16) + ' UTC', `build ${at + 1} of ${n}`].filter(Boolean).join(', ')),
    ], [
      make('p', {}, `${count(data.ran[at], 'step')} ran, ${data.cached[at]} cached.`),
      ...(steps.length ? [table] : []),
      ...(steps.length > 12 ? [make('p', {class: 'dim'}, `… and ${count(steps.length - 12, 'step')} nearer to the usual time.`)] : []),
      ...(k === undefined ? [make('p', {class: 'dim'}, 'Its steps are not on this page: those of the newest builds are, and of builds around lasting changes.')] : []),
    ]);
    controls();
    point();
    if (!quiet) remember();
  };
  const self = {
    pipeline: data.pipeline,
    go: by => { kept = true; choose(at < 0 ? (by < 0 ? to : from) : Math.max(from, Math.min(to, at + by))); },
    close: () => { at = -1; kept = false; point(); },
    write: p => {
      if (from > 0 || to < n - 1) { p.set('from', key(from)); p.set('to', key(to)); }
      if (at >= 0 && kept) p.set('at', key(at));
    },
    read: p => {
      const a = find(p.get('from')), b = find(p.get('to'), true), i = find(p.get('at'));
      range(a < 0 ? 0 : a, b < 0 ? n - 1 : b);
      if (i >= 0) { kept = true; choose(i); }
    },
  };

  const slider = (words, act) => {
    const value = make('output');
    const e = make('input', {type: 'range', min: 0, max: n - 1, 'aria-label': words});
    e.addEventListener('input', () => act(+e.value));
    return {e, value, label: make('label', {}, words, e, value), set(i) {
      e.value = i;
      value.textContent = when(i);
      e.setAttribute('aria-valuetext', `${names[i]}, ${date(i, 16)}, ${time(data.took[i])}`);
    }};
  };
  const ranged = (a, b) => { last = self; range(a, b); remember(); };
  const first = slider('From', i => ranged(i, Math.max(i, to))), until = slider('To', i => ranged(Math.min(i, from), i));
  const build = slider('Build', i => { kept = true; choose(i); });
  const whole = button('All builds', () => ranged(0, n - 1));
  const controls = () => {
    first.set(from);
    until.set(to);
    build.set(at < 0 ? to : at);
    whole.hidden = from === 0 && to === n - 1;
  };
  const large = charts.find(c => !c.track.took);
  if (large) large.svg.before(make('fieldset', {class: 'builds'}, make('legend', {class: 'silent'}, 'Builds that the charts show'), first.label, until.label, build.label, whole));

  for (const c of charts) {
    let start = null;
    const under = e => {
      const box = c.svg.getBoundingClientRect();
      return Math.max(from, Math.min(to, from + Math.floor((e.clientX - box.left) / box.width * (to - from + 1))));
    };
    c.svg.querySelector('title')?.remove();
    c.svg.addEventListener('pointerdown', e => {
      if (e.button !== 0) return;
      start = {x: e.clientX, build: under(e)};
      c.svg.setPointerCapture(e.pointerId);
    });
    c.svg.addEventListener('pointermove', e => {
      const i = under(e);
      if (start && Math.abs(e.clientX - start.x) > 5) {
        start.moved = true;
        const [a, b] = [Math.min(i, start.build), Math.max(i, start.build)];
        for (const o of charts) {
          o.brush.setAttribute('x', percent(a) + '%');
          o.brush.setAttribute('width', percent(b + 1) - percent(a) + '%');
          o.brush.setAttribute('height', o.plots[0].getAttribute('height'));
        }
      } else if (!start && !kept && i !== at) choose(i, true);
    });
    const end = e => {
      for (const o of charts) o.brush.setAttribute('height', 0);
      const was = start;
      start = null;
      if (!was || e.type === 'pointercancel') return;
      if (was.moved) return ranged(was.build, under(e));
      kept = !kept || under(e) !== at;
      choose(under(e));
    };
    c.svg.addEventListener('pointerup', end);
    c.svg.addEventListener('pointercancel', end);
  }
  controls();
  return self;
};

// Rows of a page that has no builds to go through.
const rowsOf = () => {
  const rows = tables.flatMap(t => [...t.tBodies[0].rows]).filter(r => !r.classList.contains('stage'));
  let at = null, kept = false;
  const choose = (row, quiet) => {
    at?.classList.remove('chosen');
    at = row;
    at.classList.add('chosen');
    const heads = [...row.closest('table').tHead.rows[0].cells];
    const values = [...row.cells].slice(1).map((cell, k) => [heads[k + 1].textContent.split(',')[0], cell.querySelector('svg')?.getAttribute('aria-label') || cell.textContent]).filter(v => v[1]);
    show(self, quiet, [make('h2', {}, make('code', {}, row.cells[0].textContent)), make('p', {}, values.length ? [values[0][0], values[0][1]].join(' ') : '')],
      [...values.slice(1).map(v => make('p', {}, make('span', {class: 'dim'}, v[0] + ' '), v[1])), ...all('.twin table', row).map(t => t.cloneNode(true))]);
    if (!quiet) row.scrollIntoView({block: 'nearest'});
  };
  const self = {
    go: by => {
      const shown = rows.filter(r => !r.hidden);
      if (!shown.length) return;
      kept = true;
      choose(shown[at ? Math.max(0, Math.min(shown.length - 1, shown.indexOf(at) + by)) : by < 0 ? shown.length - 1 : 0]);
    },
    close: () => { at?.classList.remove('chosen'); at = null; kept = false; },
  };
  for (const row of rows) {
    row.addEventListener('pointerenter', e => { if (!kept && e.pointerType === 'mouse') choose(row, true); });
    row.addEventListener('click', () => {
      if (String(getSelection())) return;
      kept = !kept || row !== at;
      choose(row, true);
    });
  }
  return self;
};

// The address: what is filtered, and of one pipeline the range and the build.
let last = null; // the pipeline that was used last
let reading = false;
const remember = () => {
  if (reading) return;
  const p = new URLSearchParams();
  if (input.value) p.set('q', input.value);
  if (histories.includes(chosen)) last = chosen;
  if (last) {
    if (histories.length > 1) p.set('p', last.pipeline);
    last.write(p);
  }
  try {
    history.replaceState(null, '', '#' + p);
  } catch { /* a frame without an address of its own */ }
};
const read = () => {
  const p = new URLSearchParams(location.hash.slice(1));
  if (!['q', 'from', 'to', 'at'].some(k => p.has(k))) return;
  reading = true;
  input.value = p.get('q') || '';
  filter();
  last = histories.find(h => h.pipeline === p.get('p')) || histories[0] || null;
  last?.read(p);
  reading = false;
};

if (!tables.length) return;
main.prepend(make('div', {class: 'bar-of-controls'}, make('label', {}, make('span', {class: 'silent'}, 'Filter steps'), input), found));
for (const s of all('script[type="application/json"]')) histories.push(follow(s.parentElement, JSON.parse(s.textContent)));
const plain = histories.length ? null : rowsOf();
document.body.append(panel);
document.body.classList.add('panelled');
reading = true;
close();
reading = false;
read();
addEventListener('hashchange', read);
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const typing = e.target.matches('input, textarea, select');
  if (e.key === 'Escape') {
    if (e.target === input && input.value) {
      input.value = '';
      filter();
      remember();
    } else close();
  } else if (typing) {
    return;
  } else if (e.key === '/') {
    e.preventDefault();
    input.focus();
  } else if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
    const region = e.target.closest('.scroll');
    if (region && region.scrollWidth > region.clientWidth) return;
    e.preventDefault();
    (chosen || last || histories[0] || plain).go(e.key === 'ArrowLeft' ? -1 : 1);
  }
});
})();
