// The map of the pool. An area that is drawn on it is sent back as its corners alone; which rows lie inside is for the
// server to say. What the server sends is described at `PoolMap.message` of cadc.views.pool_map.
const SLOW_MS = 40, PICTURE = 1024, GREY_INK = [138, 143, 152], NEAR = 6;
const MOST = 60; // a stride is one byte in WebGL, and a point four
const ARROWS = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
const ZOOMS = { "+": 1.3, "=": 1.3, "-": 1 / 1.3 };
const HINTS = {
  lasso: "draw round points", rectangle: "drag from corner to corner", pan: "drag to move; the wheel zooms",
};

class PoolMap {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    this.board = this.find(".points");
    this.over = this.find(".over");
    this.only = null; // the one line of the legend that is in colour
    this.polygon = null; // what is selected, in the map's own numbers
    let why = "";
    this.board.addEventListener("webglcontextcreationerror", (event) => { why = event.statusMessage; });
    this.board.addEventListener("webglcontextlost", () => this.paintInstead("its context was lost"));
    const gl = this.board.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
    this.drawing = gl ? new WebGl(this.board, gl) : new Painted(this.board, why);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.over);
  }

  take(data) {
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
    if (text === this.text) return;
    const head = JSON.parse(text), body = bytes.slice(4 + length).buffer, n = head.points;
    const places = new Uint16Array(body, 0, 2 * n), classes = new Uint8Array(body, 4 * n, n);
    Object.assign(this, { text, head, n, places, classes });
    const inks = head.kinds.map((kind) => [1, 3, 5].map((at) => parseInt(kind.colour.slice(at, at + 2), 16)));
    inks[head.grey] = GREY_INK;
    this.drawing.load(places, (this.inks = inks));
    this.legend();
    if (!this.zoom) this.resize();
    this.shade();
    this.tell();
  }

  tell() {
    const [shown, total] = [this.n, this.head.total].map((count) => count.toLocaleString("en"));
    this.find(".told").textContent = `drawn ${shown} of ${total} rows · ${this.drawing.name}`;
  }

  paintInstead(why) { // a canvas that had one kind of context never gets another
    const fresh = this.board.cloneNode();
    this.board.replaceWith(fresh);
    Object.assign(this, { board: fresh, drawing: new Painted(fresh, why) });
    this.drawing.load(this.places, this.inks);
    this.shade();
    this.tell();
  }

  legend() {
    this.find(".legend").replaceChildren(...this.head.kinds.map((kind, k) => {
      const [line, dot, rows] = ["button", "i", "span"].map((tag) => document.createElement(tag));
      dot.style.background = kind.colour;
      rows.textContent = kind.rows.toLocaleString("en");
      line.append(dot, kind.name, rows); // names are text, whatever stands in them
      line.onclick = () => this.alone(this.only === k ? null : k);
      return line;
    }));
    this.alone(null, false);
  }

  alone(only, shaded = true) { // one line of the legend in colour, null: all
    this.only = only;
    [...this.find(".legend").children].forEach((line, k) => line.setAttribute("aria-pressed", only === k));
    if (shaded) this.shade();
  }

  shade() { // the tone of every point: its class, or grey where it is not meant
    const { n, places, classes, only, head: { grey } } = this, inside = this.polygon && picture(this.polygon);
    const tones = classes.slice();
    for (let i = 0; i < n; i++) {
      if (only !== null && classes[i] !== only) tones[i] = grey;
      else if (inside && !inside(places[2 * i], places[2 * i + 1])) tones[i] = grey;
    }
    this.drawing.colour((this.tones = tones), grey);
    this.draw();
  }

  draw(moving = false) { // a part of the points while a slow machine moves them, all when they are still
    this.outline();
    clearTimeout(this.later);
    if (moving && this.slow) this.later = setTimeout(() => this.draw(), 150);
    this.every = moving && this.slow ? Math.min(MOST, Math.ceil(this.slow / SLOW_MS) + 1) : 1;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.n || !this.width) return;
      const room = Math.sqrt((this.width * this.height) / this.n) / 2;
      const closer = Math.sqrt(Math.max(1, this.zoom / this.whole));
      const size = Math.min(9, Math.max(1.3, Math.min(4, room)) * closer) * devicePixelRatio;
      const { centre, zoom, width, height } = this, opacity = this.n > 50_000 ? 0.5 : 0.8, began = performance.now();
      this.drawing.draw({ centre, zoom, width, height, size, opacity }, this.every);
      const took = performance.now() - began;
      if (this.every === 1) this.slow = took > SLOW_MS ? took : 0;
    });
  }

  outline(path = null) { // what is being drawn, or what is selected
    const corners = path ?? this.polygon?.map((corner) => this.screen(corner)) ?? [];
    const context = this.over.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.strokeStyle = getComputedStyle(this.over).color;
    context.lineWidth = 1.5;
    context.beginPath();
    corners.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.stroke();
  }

  // ---- where things are ---------------------------------------------------------------------------------------------
  screen([x, y]) {
    const { centre, zoom, width, height } = this;
    return [width / 2 + (x - centre[0]) * zoom, height / 2 - (y - centre[1]) * zoom];
  }

  world([x, y]) {
    const { centre, zoom, width, height } = this;
    return [centre[0] + (x - width / 2) / zoom, centre[1] - (y - height / 2) / zoom];
  }

  resize() {
    const first = !this.zoom, { clientWidth: width, clientHeight: height } = this.over;
    if (!width || !this.head) return;
    Object.assign(this, { width, height, whole: (0.96 * Math.min(width, height)) / this.head.side });
    for (const canvas of [this.board, this.over]) {
      Object.assign(canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
    }
    if (first) this.reset();
    this.draw();
  }

  reset() { Object.assign(this, { centre: [this.head.side / 2, this.head.side / 2], zoom: this.whole }); this.draw(); }

  move(x, y) { this.centre = [this.centre[0] - x / this.zoom, this.centre[1] + y / this.zoom]; this.draw(true); }

  magnify(by, spot = [this.width / 2, this.height / 2]) { // what lies under the spot stays there
    const before = this.world(spot);
    this.zoom = Math.min(200 * this.whole, Math.max(this.whole / 2, this.zoom * by));
    const after = this.world(spot);
    this.centre = this.centre.map((middle, axis) => middle + before[axis] - after[axis]);
    this.draw(true);
  }

  // ---- what a person does -------------------------------------------------------------------------------------------
  select(polygon) {
    this.polygon = polygon;
    this.shade();
    this.send(polygon);
  }

  pick(mode) {
    this.mode = mode;
    this.over.dataset.mode = mode;
    for (const button of this.find(".modes").children) button.setAttribute("aria-pressed", button.value === mode);
    this.find(".hint").textContent = HINTS[mode];
  }

  listen() {
    const over = this.over, spot = (event) => [event.offsetX, event.offsetY];
    let path = null, held = null;
    for (const button of this.find(".modes").children) button.onclick = () => this.pick(button.value);
    this.find(".reset").onclick = () => this.reset();
    this.find(".clear").onclick = () => this.select(null);
    this.find("form").onsubmit = (event) => {
      event.preventDefault();
      const typed = [...event.target.querySelectorAll("input")].map((one) => Number(one.value) / 100);
      const [left, right, bottom, top] = typed.map((share) => Math.round(share * (this.head.side + 1)));
      this.select([[left, bottom], [right, bottom], [right, top], [left, top]]);
    };
    over.onpointerdown = (event) => {
      over.setPointerCapture(event.pointerId);
      held = spot(event);
      path = this.mode === "pan" || event.shiftKey || event.button ? null : [held];
    };
    over.onpointermove = (event) => {
      const [x, y] = spot(event);
      if (!held) return this.hover(x, y);
      if (!path) { this.move(x - held[0], y - held[1]); held = [x, y]; return; }
      const [fromX, fromY] = held, [lastX, lastY] = path.at(-1);
      if (this.mode === "rectangle") path = [held, [x, fromY], [x, y], [fromX, y]];
      else if (Math.hypot(x - lastX, y - lastY) > 3) path.push([x, y]); // a few hundred corners at most
      this.outline(path);
    };
    over.onpointerup = () => {
      if (path?.length > 2) this.select(path.map((corner) => this.world(corner).map(Math.round)));
      path = held = null;
      this.outline();
    };
    over.onpointercancel = () => { path = held = null; this.outline(); };
    over.onwheel = (event) => { event.preventDefault(); this.magnify(Math.exp(-0.002 * event.deltaY), spot(event)); };
    over.onpointerleave = () => { this.find(".hover").hidden = true; };
    over.onkeydown = (event) => {
      if (event.key in ARROWS) this.move(...ARROWS[event.key]);
      else if (event.key in ZOOMS) this.magnify(ZOOMS[event.key]);
      else return;
      event.preventDefault();
    };
    this.pick("lasso");
  }

  hover(x, y) { // the class of the nearest point, a few pixels off at most
    if (!this.n) return;
    const [midX, midY] = this.world([x, y]), reach = NEAR / this.zoom;
    let best = reach * reach, found = -1;
    for (let i = 0; i < this.n; i++) {
      const dx = this.places[2 * i] - midX, dy = this.places[2 * i + 1] - midY;
      if (dx < reach && dx > -reach && dx * dx + dy * dy < best) { best = dx * dx + dy * dy; found = i; }
    }
    const tip = this.find(".hover");
    tip.hidden = found < 0 || this.classes[found] === this.head.grey;
    if (tip.hidden) return;
    tip.textContent = this.head.kinds[this.classes[found]].name;
    const aside = x > this.width / 2 ? "calc(-100% - 12px)" : "12px"; // never cut off by the edge
    tip.style.transform = `translate(${x}px, ${y + 12}px) translateX(${aside})`;
  }
}

// Whether a place lies inside an area, looked up in a picture of it: quick, and right to a thousandth of the area.
function picture(polygon) {
  const low = [0, 1].map((axis) => Math.min(...polygon.map((corner) => corner[axis])));
  const span = Math.max(1, ...polygon.map(([x, y]) => Math.max(x - low[0], y - low[1])));
  const scale = (PICTURE - 2) / span;
  const context = new OffscreenCanvas(PICTURE, PICTURE).getContext("2d", { willReadFrequently: true });
  polygon.forEach(([x, y]) => context.lineTo(1 + (x - low[0]) * scale, 1 + (y - low[1]) * scale));
  context.fill("evenodd");
  const seen = context.getImageData(0, 0, PICTURE, PICTURE).data;
  return (x, y) => {
    const u = Math.floor(1 + (x - low[0]) * scale), v = Math.floor(1 + (y - low[1]) * scale);
    return u >= 0 && v >= 0 && u < PICTURE && v < PICTURE && seen[4 * (v * PICTURE + u) + 3] > 127;
  };
}

const maps = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!maps.has(parentElement)) maps.set(parentElement, new PoolMap(parentElement));
  const map = maps.get(parentElement);
  map.send = (polygon) => setStateValue("polygon", polygon);
  map.take(data);
}
