// Choose the part of a picture that is shown, before it is uploaded. The form then sends a square of 512 pixels instead of
// the file, so that photos above the server's limits work too. Without this script the file is sent as it is.
const SIDE = 512;
const DECODED = 2048; // pixels of the shorter side that are kept: enough for a zoom of four
const STEP = 0.05; // of the visible part, per arrow key

const [crop, view, zoom, problem] = ["crop", "crop-view", "crop-zoom", "crop-problem"].map((id) => document.getElementById(id));
const form = crop.closest("form");
const input = form.elements.image;
const context = view.getContext("2d");

let picture = null; // the decoded file; x and y are the point of it in the middle of the view
let x = 0;
let y = 0;

async function decode(file) {
  const whole = await createImageBitmap(file);
  const factor = DECODED / Math.min(whole.width, whole.height);
  if (factor >= 1) return whole;
  const small = { resizeWidth: Math.round(whole.width * factor), resizeHeight: Math.round(whole.height * factor), resizeQuality: "high" };
  return createImageBitmap(whole, small).finally(() => whole.close());
}

const scale = () => (SIDE / Math.min(picture.width, picture.height)) * Number(zoom.value);

// Keep the view inside the picture and draw it.
function draw() {
  const half = SIDE / 2 / scale();
  x = Math.min(Math.max(x, half), picture.width - half);
  y = Math.min(Math.max(y, half), picture.height - half);
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, SIDE, SIDE);
  context.drawImage(picture, SIDE / 2 - x * scale(), SIDE / 2 - y * scale(), picture.width * scale(), picture.height * scale());
}

function move(right, down) {
  x += right;
  y += down;
  draw();
}

function zoomBy(amount) {
  zoom.valueAsNumber += amount;
  draw();
}

input.addEventListener("change", async () => {
  const [file] = input.files;
  picture?.close();
  picture = null;
  problem.hidden = crop.hidden = true;
  if (!file) return;
  let decoded;
  try {
    decoded = await decode(file);
  } catch {
    problem.textContent = "This file cannot be opened as a picture. Choose a JPEG, PNG or WebP.";
    problem.hidden = false;
    input.value = "";
    return;
  }
  if (input.files[0] !== file) return decoded.close(); // another file was chosen meanwhile
  picture = decoded;
  [x, y] = [picture.width / 2, picture.height / 2];
  zoom.value = "1";
  crop.hidden = false;
  draw();
});

zoom.addEventListener("input", draw);

view.addEventListener("pointerdown", (event) => {
  view.setPointerCapture(event.pointerId);
  view.focus();
});
view.addEventListener("pointermove", (event) => {
  if (!view.hasPointerCapture(event.pointerId)) return;
  const perPixel = SIDE / view.clientWidth / scale();
  move(-event.movementX * perPixel, -event.movementY * perPixel);
});
view.addEventListener(
  "wheel",
  (event) => {
    if (document.activeElement !== view) return; // the page scrolls
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 0.1 : -0.1);
  },
  { passive: false },
);
view.addEventListener("keydown", (event) => {
  const step = (STEP * SIDE) / scale();
  const action = {
    ArrowLeft: () => move(-step, 0),
    ArrowRight: () => move(step, 0),
    ArrowUp: () => move(0, -step),
    ArrowDown: () => move(0, step),
    "+": () => zoomBy(0.1),
    "-": () => zoomBy(-0.1),
  }[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});

form.addEventListener("submit", async (event) => {
  if (!picture || event.defaultPrevented) return; // fields.js prevents a second submit
  event.preventDefault();
  const blob = await new Promise((resolve) => view.toBlob(resolve, "image/webp", 0.9)); // a PNG where WebP is not supported
  const files = new DataTransfer();
  files.items.add(new File([blob], `picture.${blob.type.slice(6)}`, { type: blob.type }));
  input.files = files.files;
  form.submit();
});
