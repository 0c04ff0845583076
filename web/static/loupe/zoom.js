// Zoom to real pixels: OpenSeadragon over the preview at once, over the native-size rendering as soon as it is made.
import { ApiError, get, post } from "../core/api.js";
import { stillness } from "../core/dom.js";
import { on } from "../core/live.js";

/** Where one looks: centre as a share of width and height, and CSS pixels per pixel of the photograph.
 * @typedef {{ x: number, y: number, scale: number }} Place */

const ASK_AGAIN_MS = 2_000;
const PREVIEW_EDGE = 1440;

/** @type {Promise<typeof import("openseadragon")> | undefined} */
let library;

/** Loaded when first needed: the pages themselves stay light. @returns {Promise<typeof import("openseadragon")>} */
function openSeadragon() {
  library ??= new Promise((resolve, reject) => {
    // It would add a style element, which our security policy refuses, unless it finds its mark on one: this bears
    // the mark, and is of no namespace that has styles. css/loupe.css holds the rule.
    const marked = document.createElementNS("urn:fineshyt:mark", "style");
    marked.setAttribute("data-openseadragon-mobile-css", "true");
    document.head.append(marked);
    const script = document.createElement("script");
    script.src = `${document.body.dataset.static}/vendor/openseadragon/openseadragon.min.js`;
    script.addEventListener("load", () => resolve(/** @type {any} */ (window).OpenSeadragon));
    script.addEventListener("error", () => reject(new Error("The zoom could not be loaded. Reload the page.")));
    document.head.append(script);
  });
  return library;
}

/** @type {Map<number, { resolve: (rendering: Rendering) => void, reject: (error: unknown) => void }>} */
const waiting = new Map();
on("photos", ({ ids, stage }) => {
  if (stage === "render") for (const id of ids) if (waiting.has(id)) void look(id);
});

/** @param {number} id */
async function look(id) {
  const promise = waiting.get(id);
  try {
    const made = await get(`/api/photos/${id}/render`);
    if (!made.ready) return;
    promise?.resolve(made);
  } catch (error) {
    if (error instanceof ApiError && error.passing) return;
    promise?.reject(error);
  }
  waiting.delete(id);
}

/** The rendering, made by a convert consumer if it is not there yet. Rejects with the server's sentence.
 * @param {number} id @returns {Promise<Rendering>} */
async function rendering(id) {
  const first = await post(`/api/photos/${id}/render`);
  if (first.ready) return first;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    const again = setInterval(() => { if (waiting.has(id)) void look(id); else clearInterval(again); }, ASK_AGAIN_MS);
  });
}

export class Zoom {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** @type {Item | null} */
    this.item = null;
    this.state = "closed";
    /** @type {((place: Place) => void)[]} */
    this.readers = [];
    /** @type {(click: { x: number, y: number }) => void} */
    this.clicked = () => {};
    /** @type {HTMLElement | null} */
    this.drawing = null;
    this.quiet = false;
    this.moving = false; // by the person's hand, so that others follow
    /** @type {Promise<void>} */
    this.opened = Promise.resolve();
    /** @type {import("openseadragon").Viewer | undefined} */
    this.viewer = undefined;
    /** @type {typeof import("openseadragon") | undefined} */
    this.osd = undefined;
  }

  async ready() {
    if (this.viewer) return this.viewer;
    const OpenSeadragon = await openSeadragon();
    if (this.viewer) return this.viewer;
    this.osd = OpenSeadragon;
    const viewer = OpenSeadragon(/** @type {any} */ ({
      element: this.element, drawer: "canvas", showNavigationControl: false, tabIndex: -1,
      animationTime: stillness() ? 0 : 0.3, springStiffness: 9, maxZoomPixelRatio: 8, minZoomImageRatio: 0.5, visibilityRatio: 0.5,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
      gestureSettingsTouch: { dblClickToZoom: false },
    }));
    viewer.addHandler("canvas-key", (/** @type {any} */ event) => { event.preventDefaultAction = true; });
    viewer.addHandler("canvas-click", (/** @type {any} */ event) => { if (event.quick) this.clicked(event.position); });
    for (const gesture of ["canvas-drag", "canvas-drag-end", "canvas-scroll", "canvas-pinch"]) {
      viewer.addHandler(/** @type {any} */ (gesture), () => { this.moving = true; });
    }
    viewer.addHandler("viewport-change", () => this.moved());
    viewer.addHandler("animation", () => this.moved());
    viewer.addHandler("animation-finish", () => { this.moved(); this.moving = false; });
    this.viewer = viewer;
    return viewer;
  }

  /** @param {(place: Place) => void} reader told where one looks, when the person moved */
  onPlace(reader) {
    this.readers.push(reader);
  }

  /** Shows a photograph; resolves when its preview can be seen. @param {Item} item @param {Place | null} [place] */
  open(item, place = null) {
    this.opened = this.load(item, place);
    return this.opened;
  }

  /** @param {Item} item @param {Place | null} place */
  async load(item, place) {
    const viewer = await this.ready();
    this.item = item;
    this.state = "preview";
    this.element.dataset.state = "preview";
    this.drawing = null;
    viewer.clearOverlays();
    await new Promise((resolve, reject) => {
      viewer.addOnceHandler("open", resolve);
      viewer.addOnceHandler("open-failed", () => reject(new Error(`The preview of ${item.filename} could not be loaded.`)));
      viewer.open(/** @type {any} */ ({ type: "image", url: item.preview_url }));
    });
    if (this.item !== item) return;
    if (place) this.apply(place);
    else viewer.viewport.goHome(true);
    this.moving = false;
    this.moved();
  }

  get width() {
    return this.item?.width ?? PREVIEW_EDGE;
  }

  /** Height per width. */
  get shape() {
    return (this.item?.height ?? 1) / (this.item?.width ?? 1);
  }

  /** @returns {Place} */
  get place() {
    const viewport = /** @type {import("openseadragon").Viewer} */ (this.viewer).viewport;
    const centre = viewport.getCenter(false);
    return { x: centre.x, y: centre.y / this.shape, scale: (viewport.getZoom(false) * this.element.clientWidth) / this.width };
  }

  /** Whether one looks closer than at the whole. */
  get closer() {
    const viewport = this.viewer?.viewport;
    return viewport ? viewport.getZoom(false) > viewport.getHomeZoom() * 1.01 : false;
  }

  /** @param {Place} place @param {boolean} [immediately] */
  apply({ x, y, scale }, immediately = true) {
    const { viewer, osd } = this;
    if (!viewer || !osd || !viewer.viewport) return;
    this.quiet = true;
    this.moving = false;
    viewer.viewport.zoomTo((scale * this.width) / this.element.clientWidth, undefined, immediately);
    viewer.viewport.panTo(new osd.Point(x, y * this.shape), immediately);
    this.quiet = false;
    this.say();
    this.sharpen();
  }

  /** One pixel of the photograph for one of the screen; around a point (share of width and height) or where one looks.
   * @param {number} [x] @param {number} [y] */
  async native(x, y) {
    await this.opened.catch(() => {}); // whoever opened it says what went wrong
    if (!this.item || !this.viewer) return;
    x ??= this.place.x;
    y ??= this.place.y;
    this.apply({ x, y, scale: 1 / devicePixelRatio }, stillness());
    this.spread();
  }

  fit() {
    this.viewer?.viewport?.goHome(true);
    this.spread();
  }

  /** @param {number} dx @param {number} dy in shares of what is seen */
  pan(dx, dy) {
    const { viewer, osd } = this;
    if (!viewer || !osd || !this.item) return;
    const bounds = viewer.viewport.getBounds(false);
    viewer.viewport.panBy(new osd.Point(dx * bounds.width, dy * bounds.height), stillness());
    viewer.viewport.applyConstraints(stillness());
    this.spread();
  }

  /** @param {number} factor */
  by(factor) {
    this.viewer?.viewport.zoomBy(factor, undefined, stillness());
    this.viewer?.viewport.applyConstraints(stillness());
    this.spread();
  }

  moved() {
    if (this.quiet || !this.item || !this.viewer?.viewport) return;
    this.say();
    this.sharpen();
    if (this.moving) this.readers.forEach((reader) => reader(this.place));
  }

  /** The percentage, for whoever looks. */
  say() {
    this.element.dataset.scale = String(Math.round(this.place.scale * devicePixelRatio * 100));
  }

  /** Others go where this one was sent. */
  spread() {
    if (!this.item || !this.viewer?.viewport) return;
    this.say();
    this.readers.forEach((reader) => reader(this.place));
  }

  /** Where the preview's pixels do not suffice, the rendering is asked for and put in its place. */
  sharpen() {
    const { item, viewer } = this;
    if (!item || !viewer || this.state !== "preview") return;
    const previewWidth = Math.min(this.width, this.shape > 1 ? PREVIEW_EDGE / this.shape : PREVIEW_EDGE);
    if (this.place.scale * devicePixelRatio * this.width <= previewWidth * 1.05) return;
    if (this.width <= previewWidth) return;
    this.state = "asked";
    this.element.dataset.state = "asked";
    rendering(item.id).then((made) => {
      if (this.item !== item) return;
      this.replace(made);
    }).catch((error) => {
      if (this.item !== item) return;
      this.element.dataset.state = "failed";
      this.failed?.(error);
    });
  }

  /** @type {((error: unknown) => void) | undefined} */
  failed;

  /** @param {Rendering} made */
  replace({ url, tiles, width, height }) {
    const source = tiles
      ? {
        width, height, tileSize: tiles.tile_size, tileOverlap: tiles.overlap, minLevel: tiles.min_level, maxLevel: tiles.max_level,
        getTileUrl: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) =>
          tiles.url.replace("{level}", String(level)).replace("{column}", String(x)).replace("{row}", String(y)),
      }
      : { type: "image", url };
    const { item } = this;
    this.viewer?.addTiledImage(/** @type {any} */ ({
      tileSource: source, width: 1,
      success: () => {
        if (this.item !== item) return;
        // The preview stays beneath until the pixels are there.
        this.state = "native";
        this.element.dataset.state = "native";
      },
      error: () => { this.element.dataset.state = "failed"; },
    }));
  }

  /** Lays a drawing over the picture, or takes it off. @param {HTMLElement | null} drawing */
  overlay(drawing) {
    const { viewer, osd } = this;
    if (!viewer || !osd) return;
    if (this.drawing) viewer.removeOverlay(this.drawing);
    this.drawing = drawing;
    if (drawing) viewer.addOverlay({ element: drawing, location: new osd.Rect(0, 0, 1, this.shape) });
  }

  close() {
    this.item = null;
    this.state = "closed";
    this.viewer?.close();
  }

  destroy() {
    this.item = null;
    this.viewer?.destroy();
    this.viewer = undefined;
  }
}
