// Previews decoded ahead: the next frame is a picture already when a key asks for it.
const KEPT = 10;
/** @type {Map<string, HTMLImageElement>} */
const decoded = new Map();

/** The preview as an element that belongs to nobody yet; decoding has begun. @param {Item} item @returns {HTMLImageElement | null} */
export function preview(item) {
  if (!item.preview_url) return null;
  let image = decoded.get(item.preview_url);
  if (!image) {
    image = new Image();
    image.src = item.preview_url;
    image.draggable = false;
    image.style.backgroundColor = item.dominant_color ?? "";
    image.decode().catch(() => {}); // one that cannot be decoded shows its alternative text
  }
  decoded.delete(item.preview_url);
  decoded.set(item.preview_url, image);
  for (const url of decoded.keys()) {
    if (decoded.size <= KEPT) break;
    decoded.delete(url);
  }
  return image;
}
