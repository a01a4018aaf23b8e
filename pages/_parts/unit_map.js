// The map of target units as SVG: click, lasso or keys choose units; names stand where they cover nothing.
// Texts reach the page through textContent alone. `data` is views.unit_map.map_data; `picked` sends positions of units.
const NS = 'http://www.w3.org/2000/svg';
const STILL = 5, NEAR = 16, PAD = 2;
const SHAPES = {  // around the origin, radius 1
  circle: 'M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z', square: 'M-.9,-.9H.9V.9H-.9Z', diamond: 'M0,-1.25L1.05,0L0,1.25L-1.05,0Z',
  'triangle-up': 'M0,-1.15L1.1,.9H-1.1Z', cross: 'M-.4,-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z',
  star: 'M0,-1.3L.36,-.42L1.24,-.4L.58,.18L.8,1.1L0,.6L-.8,1.1L-.58,.18L-1.24,-.4L-.36,-.42Z',
};
const made = (tag, attributes, parent) => {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (parent) parent.appendChild(node);
  return node;
};
const apart = (a, b) => a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
const around = (x, y, w, h) => ({ x0: x - w / 2 - PAD, x1: x + w / 2 + PAD, y0: y - h / 2 - PAD, y1: y + h / 2 + PAD });
const inside = (path, x, y) => path.reduce((odd, [ax, ay], i) => {
  const [bx, by] = path[(i + 1) % path.length];
  return (ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax ? !odd : odd;
}, false);

export default function (component) {
  const { data, parentElement: root, setTriggerValue } = component;
  const box = root.querySelector('.unit-map'), svg = box.querySelector('svg'), tip = box.querySelector('.tip');
  const kept = box.kept || (box.kept = { zoom: 1, x: 0, y: 0, focus: 0 });
  const chosen = new Set(data.chosen), R = data.points.length > 60 ? 4.5 : 6.5;
  let path = null, pan = null, now = null;

  // ---- where everything lies: the same data and size give the same picture
  function frame() {
    const w = Math.max(200, box.clientWidth), h = data.height, edge = { x: 34, y: 26 };
    const xs = data.points.map(p => p.x), ys = data.points.map(p => p.y);
    const low = [Math.min(...xs), Math.min(...ys)];
    const wide = [Math.max(...xs) - low[0] || 1, Math.max(...ys) - low[1] || 1];
    const at = (x, y) => {
      const u = edge.x + (x - low[0]) / wide[0] * (w - 2 * edge.x), v = h - edge.y - (y - low[1]) / wide[1] * (h - 2 * edge.y);
      return [(u - w / 2) * kept.zoom + w / 2 + kept.x, (v - h / 2) * kept.zoom + h / 2 + kept.y];
    };
    return { w, h, spots: data.points.map(p => at(p.x, p.y)), centres: data.groups.map(g => at(g.x, g.y)) };
  }

  const pen = document.createElement('canvas').getContext('2d');
  function placed({ w, h, spots, centres }, font) {
    const taken = spots.map(([x, y]) => around(x, y, 2 * R, 2 * R)), labels = [];
    taken.push({ x0: w - 160, y0: 0, x1: w, y1: 32 });  // the buttons
    const free = at => at.x0 >= 0 && at.x1 <= w && at.y0 >= 0 && at.y1 <= h && taken.every(other => apart(at, other));
    const put = (text, size, bold, places, rest) => {
      pen.font = `${bold ? 700 : 400} ${size}px ${font}`;
      const wide = pen.measureText(text).width;
      for (const [x, y, far] of places(wide)) {
        const at = around(x, y, wide, size);
        if (free(at)) { taken.push(at); labels.push({ text, size, bold, x, y, far, ...rest }); return true; }
      }
      return false;
    };
    const shown = ([x, y]) => x >= 0 && x <= w && y >= 0 && y <= h;
    let hidden = 0;
    data.groups.forEach((group, g) => {
      const [x, y] = centres[g];
      const rings = [[x, y, 0]];
      for (let r = 10; r <= 110; r += 10) for (let a = 0; a < 16; a++)
        rings.push([x + r * Math.sin(a * Math.PI / 8), y - r * Math.cos(a * Math.PI / 8), r]);
      if (shown([x, y])) put(group.name, 14, true, () => rings, { group: g }) || hidden++;
    });
    const order = data.points.map((_, i) => i).sort((a, b) => chosen.has(b) - chosen.has(a) || a - b);
    for (const i of order) {
      const [x, y] = spots[i];
      if (!shown(spots[i])) continue;
      const side = wide => [[x, y + 17, 0], [x, y - 17, 0], [x + wide / 2 + 12, y, 0], [x - wide / 2 - 12, y, 0],
        [x + wide / 2 - 8, y + 17, 0], [x - wide / 2 + 8, y + 17, 0], [x + wide / 2 - 8, y - 17, 0],
        [x - wide / 2 + 8, y - 17, 0]];
      put(data.points[i].label, 11, false, side, { unit: i }) || hidden++;
    }
    return { labels, hidden };
  }

  // ---- drawing
  function draw() {
    const hadFocus = root.activeElement && svg.contains(root.activeElement);
    const style = getComputedStyle(box), ink = style.color, found = frame();
    const { labels, hidden } = placed(found, style.fontFamily);
    svg.replaceChildren();
    for (const [name, value] of Object.entries({ width: found.w, height: found.h, viewBox: `0 0 ${found.w} ${found.h}` }))
      svg.setAttribute(name, value);
    for (const label of labels.filter(one => one.far > 24)) {  // a thin line to the nearest unit of its group
      const own = data.points.map((p, i) => i).filter(i => data.points[i].group === label.group).map(i => found.spots[i]);
      const [x, y] = own.sort((a, b) => Math.hypot(a[0] - label.x, a[1] - label.y) - Math.hypot(b[0] - label.x, b[1] - label.y))[0];
      made('line', { x1: label.x, y1: label.y, x2: x, y2: y, stroke: data.groups[label.group].colour, 'stroke-width': 1,
        'stroke-dasharray': '2 3', opacity: 0.7 }, svg);
    }
    data.points.forEach((point, i) => {
      const [x, y] = found.spots[i], on = chosen.has(i);
      const node = made('g', { transform: `translate(${x},${y})`, class: 'point', role: 'button', 'aria-pressed': on,
        tabindex: i === kept.focus ? 0 : -1, 'aria-label': point.spoken, 'data-unit': i }, svg);
      if (on) made('circle', { r: R + 4, fill: 'none', stroke: ink, 'stroke-width': 1.5 }, node);
      made('path', { d: SHAPES[point.shape] || SHAPES.circle, transform: `scale(${R})`, 'vector-effect': 'non-scaling-stroke',
        fill: point.shape in SHAPES ? point.colour : 'none', stroke: point.colour, 'stroke-width': 1.5,
        opacity: !chosen.size || on ? 1 : 0.35 }, node);
      node.onfocus = () => { kept.focus = i; tell(i); };
      node.onblur = () => { tip.hidden = true; };
    });
    for (const label of labels) {
      const named = label.group !== undefined;
      const text = made('text', { x: label.x, y: label.y, 'text-anchor': 'middle', 'dominant-baseline': 'central',
        'font-size': label.size, 'font-family': style.fontFamily, 'font-weight': label.bold ? 700 : 400, fill: ink,
        'paint-order': 'stroke', stroke: style.getPropertyValue('--ground'), 'stroke-width': named ? 3 : 2,
        class: named ? 'group' : 'unit', opacity: named || !chosen.size || chosen.has(label.unit) ? 1 : 0.6 }, svg);
      text.textContent = label.text;
      if (named) {
        text.setAttribute('fill', `color-mix(in srgb, ${data.groups[label.group].colour} 75%, ${ink})`);
        text.dataset.group = label.group;
      }
    }
    box.querySelector('.note').textContent = data.note + (hidden ? ` · ${hidden} ${hidden === 1 ? 'name' : 'names'} hidden: zoom in, or point at a unit` : '');
    now = found;
    if (hadFocus) svg.querySelector(`[data-unit="${kept.focus}"]`)?.focus();
  }

  function tell(i) {
    tip.replaceChildren(...data.points[i].lines.map(line => {
      const row = document.createElement('div');
      row.textContent = line;
      return row;
    }));
    tip.hidden = false;
    const [x, y] = now.spots[i], wide = tip.offsetWidth, high = tip.offsetHeight;
    tip.style.left = `${Math.max(0, Math.min(now.w - wide, x + 14))}px`;
    tip.style.top = `${y + 14 + high > now.h ? Math.max(0, y - high - 14) : y + 14}px`;
  }
  function send(units, add) {
    const next = add ? new Set(chosen) : new Set();
    if (!add && units.length === 1 && chosen.size === 1 && chosen.has(units[0])) units = [];
    for (const one of units) add && units.length === 1 && next.has(one) ? next.delete(one) : next.add(one);
    setTriggerValue('picked', [...next].sort((a, b) => a - b));
  }

  // ---- pointer
  const where = event => { const at = svg.getBoundingClientRect(); return [event.clientX - at.x, event.clientY - at.y]; };
  const near = ([x, y]) => now.spots.map(([u, v], i) => [Math.hypot(u - x, v - y), i]).filter(([far]) => far < NEAR)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])[0]?.[1];
  svg.onpointerdown = event => {
    if (event.button) return;
    svg.setPointerCapture(event.pointerId);
    if (event.altKey) pan = where(event); else path = [where(event)];
    path && (path.target = event.target);
  };
  svg.onpointermove = event => {
    const at = where(event);
    if (pan) {
      kept.x += at[0] - pan[0]; kept.y += at[1] - pan[1]; pan = at; draw();
    } else if (path) {
      path.push(at);
      svg.querySelector('.lasso')?.remove();
      made('polygon', { points: path.map(p => p.join(',')).join(' '), class: 'lasso', fill: '#8886', stroke: '#888' }, svg);
    } else {
      const i = near(at);
      i === undefined ? tip.hidden = true : tell(i);
      svg.style.cursor = i !== undefined || event.target.dataset?.group ? 'pointer' : 'crosshair';
    }
  };
  svg.onpointerup = event => {
    svg.querySelector('.lasso')?.remove();
    const drawn = path, add = event.shiftKey || event.ctrlKey || event.metaKey;
    path = pan = null;
    if (!drawn) return;
    const span = Math.max(...drawn.map(p => Math.hypot(p[0] - drawn[0][0], p[1] - drawn[0][1])));
    if (span > STILL) {
      const units = now.spots.map((_, i) => i).filter(i => inside(drawn, ...now.spots[i]));
      if (units.length) send(units, add);
      return;
    }
    const i = near(drawn[0]), group = drawn.target.dataset?.group;
    if (i !== undefined) { kept.focus = i; send([i], add); }
    else if (group !== undefined) send(data.points.map((_, u) => u).filter(u => data.points[u].group === +group), add);
  };
  svg.onpointerleave = () => { if (!path) tip.hidden = true; };
  svg.ondblclick = event => { if (near(where(event)) === undefined && chosen.size) setTriggerValue('picked', []); };
  const zoom = (by, [x, y] = [now.w / 2, now.h / 2]) => {
    const to = Math.min(12, Math.max(1, kept.zoom * by)), k = to / kept.zoom;
    kept.x = to === 1 ? 0 : (kept.x + now.w / 2 - x) * k - now.w / 2 + x;
    kept.y = to === 1 ? 0 : (kept.y + now.h / 2 - y) * k - now.h / 2 + y;
    kept.zoom = to; draw();
  };
  svg.onwheel = event => { if (event.ctrlKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, where(event)); } };

  // ---- keys: arrows go to the next unit that way, Enter chooses, Shift+Enter adds, Escape clears
  svg.onkeydown = event => {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (event.key in ways) {
      const [dx, dy] = ways[event.key], [x, y] = now.spots[kept.focus];
      const next = now.spots.map(([u, v], i) => {
        const along = (u - x) * dx + (v - y) * dy, aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
        return [along > 0.5 ? along + 2 * aside : Infinity, i];
      }).sort((a, b) => a[0] - b[0] || a[1] - b[1])[0];
      if (next[0] < Infinity) svg.querySelector(`[data-unit="${next[1]}"]`).focus();
    } else if (event.key === 'Enter' || event.key === ' ') send([kept.focus], event.shiftKey);
    else if (event.key === 'Escape') setTriggerValue('picked', []);
    else return;
    event.preventDefault();
  };

  // ---- buttons
  const gathered = () => {
    const own = chosen.size ? [...chosen].map(i => now.spots[i]) : [[now.w / 2, now.h / 2]];
    return [0, 1].map(k => own.reduce((sum, p) => sum + p[k], 0) / own.length);
  };
  const save = (blob, name) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const picture = () => {
    const copy = svg.cloneNode(true);
    copy.insertBefore(made('rect', { width: '100%', height: '100%', fill: getComputedStyle(box).getPropertyValue('--ground') }),
      copy.firstChild);
    copy.setAttribute('xmlns', NS);
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' });
  };
  const acts = {
    closer: () => zoom(1.5, gathered()), further: () => zoom(1 / 1.5), whole: () => zoom(0),
    svg: () => save(picture(), `${data.file}.svg`),
    png: () => {
      const image = new Image(), canvas = document.createElement('canvas');
      canvas.width = 2 * now.w; canvas.height = 2 * now.h;
      image.onload = () => {
        canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
        URL.revokeObjectURL(image.src);
        canvas.toBlob(blob => save(blob, `${data.file}.png`));
      };
      image.src = URL.createObjectURL(picture());
    },
  };
  box.querySelectorAll('button').forEach(button => { button.onclick = acts[button.dataset.act]; });

  draw();
  const seen = new ResizeObserver(() => { if (Math.max(200, box.clientWidth) !== now.w) draw(); });
  seen.observe(box);
  return () => seen.disconnect();
}
