// Draws what was found onto a canvas over a picture: box, class and score, readable on any picture.

/** boxes: [{class, score, box_px: [x, y, w, h], polygon_px?: [[x, y], …]}] in px of a picture of width × height. */
export function draw(canvas, width, height, boxes) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const shown = canvas.clientWidth || width;
  const scale = (shown * ratio) / width;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, w, h);
  const line = 2 * ratio;
  pen.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  pen.textBaseline = "bottom";
  for (const { class: name, score, box_px, polygon_px } of boxes) {
    const grow = 4 * ratio;
    const [x, y, bw, bh] = box_px.map((px) => px * scale);
    const path = new Path2D();
    if (polygon_px?.length > 2) {
      polygon_px.forEach(([px, py], i) => (i ? path.lineTo(px * scale, py * scale) : path.moveTo(px * scale, py * scale)));
      path.closePath();
    } else {
      path.rect(x - grow, y - grow, bw + 2 * grow, bh + 2 * grow);
    }
    // Dark under bright: seen on steel as well as on black rubber.
    pen.lineWidth = line * 2.5;
    pen.strokeStyle = "rgba(0,0,0,.75)";
    pen.stroke(path);
    pen.lineWidth = line;
    pen.strokeStyle = "#ffb000";
    pen.stroke(path);
    const text = score === undefined ? name : `${name} ${score.toFixed(2)}`;
    const tw = pen.measureText(text).width + 10 * ratio;
    const th = 20 * ratio;
    const tx = Math.max(0, Math.min(x - grow, w - tw));
    const ty = y - grow - th < 0 ? Math.min(y + bh + grow, h - th) : y - grow - th;
    pen.fillStyle = "#ffb000";
    pen.fillRect(tx, ty, tw, th);
    pen.fillStyle = "#1a1200";
    pen.fillText(text, tx + 5 * ratio, ty + th - 2 * ratio);
  }
}
