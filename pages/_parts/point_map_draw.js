// Two ways to draw many points on a canvas, with one interface: `load` places and inks, `colour` every point, `draw`.
// A view is { centre: [x, y], zoom (pixels per number of the map), width, height, size (pixels), opacity (0 … 1) }.
const VERTEX = `#version 300 es
in vec2 place; in float tone;
uniform vec2 centre, scale; uniform highp float size; uniform float grey, opacity; uniform bool behind;
uniform sampler2D inks;
out vec4 ink;
void main() {
  gl_Position = (tone == grey) == behind ? vec4((place - centre) * scale, 0, 1) : vec4(2, 2, 2, 1);
  gl_PointSize = size;
  ink = vec4(texelFetch(inks, ivec2(int(tone), 0), 0).rgb, 1) * (behind ? opacity * 0.35 : opacity);
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 ink; out vec4 pixel; uniform highp float size;
void main() {
  if (size > 3.0 && distance(gl_PointCoord, vec2(0.5)) > 0.5) discard; // round, where that can be seen
  pixel = ink;
}`;

class WebGl {
  constructor(canvas, gl) {
    Object.assign(this, { canvas, gl, name: "WebGL2" });
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = (name) => gl.getUniformLocation(program, name);
    this.inputs = ["place", "tone"].map((name) => gl.getAttribLocation(program, name));
    this.buffers = this.inputs.map((input) => { gl.enableVertexAttribArray(input); return gl.createBuffer(); });
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST); // no smaller pictures of it
  }

  load(places, inks) {
    const gl = this.gl, texture = new Uint8Array(256 * 4);
    inks.forEach((ink, tone) => texture.set([...ink, 255], 4 * tone));
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, texture);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[0]);
    gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW);
  }

  colour(tones, grey) {
    Object.assign(this, { count: tones.length, grey, layers: tones.includes(grey) ? [1, 0] : [0] });
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[1]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, tones, this.gl.DYNAMIC_DRAW);
  }

  draw(view, every) { // grey points lie behind; `every`: only each so-many-th point
    const gl = this.gl;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.at("centre"), ...view.centre);
    gl.uniform2f(this.at("scale"), (2 * view.zoom) / view.width, (2 * view.zoom) / view.height);
    for (const [name, value] of [["size", view.size], ["grey", this.grey], ["opacity", view.opacity]]) {
      gl.uniform1f(this.at(name), value);
    }
    [[2, gl.UNSIGNED_SHORT, 4], [1, gl.UNSIGNED_BYTE, 1]].forEach(([numbers, type, bytes], k) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[k]);
      gl.vertexAttribPointer(this.inputs[k], numbers, type, false, bytes * every, 0);
    });
    for (const behind of this.layers) {
      gl.uniform1i(this.at("behind"), behind);
      gl.drawArrays(gl.POINTS, 0, Math.floor(this.count / every));
    }
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits, so that the time is known
  }
}

class Painted { // without WebGL2: where points lie on each other their inks mix, a picture of density
  constructor(canvas, why) {
    const reason = why ? ` (${why})` : "";
    Object.assign(this, { canvas, name: `painted without WebGL2, which this browser does not offer${reason}` });
  }

  load(places, inks) { Object.assign(this, { places, inks }); }

  colour(tones, grey) { Object.assign(this, { tones, grey, layers: tones.includes(grey) ? [true, false] : [false] }); }

  draw({ centre, zoom, width, height, size, opacity }, every) {
    const { width: W, height: H } = this.canvas, context = this.canvas.getContext("2d");
    const image = context.createImageData(W, H), pixels = image.data;
    const ratio = W / width, side = Math.max(1, Math.round(size));
    for (const behind of this.layers) {
      const share = behind ? opacity * 0.35 : opacity;
      for (let i = 0; i < this.tones.length; i += every) {
        if ((this.tones[i] === this.grey) !== behind) continue;
        const left = Math.round(ratio * (width / 2 + (this.places[2 * i] - centre[0]) * zoom) - side / 2);
        const top = Math.round(ratio * (height / 2 - (this.places[2 * i + 1] - centre[1]) * zoom) - side / 2);
        const [red, green, blue] = this.inks[this.tones[i]];
        for (let v = Math.max(0, top); v < Math.min(H, top + side); v++) {
          for (let u = Math.max(0, left); u < Math.min(W, left + side); u++) {
            const at = 4 * (v * W + u), part = pixels[at + 3] ? share : 1;
            pixels[at] += (red - pixels[at]) * part;
            pixels[at + 1] += (green - pixels[at + 1]) * part;
            pixels[at + 2] += (blue - pixels[at + 2]) * part;
            pixels[at + 3] += (255 - pixels[at + 3]) * share;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  }
}
