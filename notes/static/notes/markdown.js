// Show a note's text as Markdown. HTML in it is shown as text. marked makes HTML of the rest, and DOMPurify removes what is
// not listed here, such as scripts, styles, forms, and images, which would be fetched from other hosts.
import { Marked } from "./vendor/marked.esm.js";
import "./vendor/purify.min.js";

const { DOMPurify } = globalThis;
const TAGS = "p br hr strong em del code pre blockquote ul ol li h3 h4 h5 h6 a table thead tbody tr th td".split(" ");
const SCHEMES = /^(?:https?:|mailto:)/i;

const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true, // a line break is a line break, as in the text field
  renderer: {
    // The title of the note is a heading of level 2.
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    html: ({ text }) => escape(text),
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    image: ({ text, href }) => `<a href="${escape(href)}">${escape(text) || "Image"}</a>`,
  },
});

const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (element) => {
  if (element.tagName !== "A") return;
  element.setAttribute("target", "_blank");
  element.setAttribute("rel", "noopener noreferrer nofollow");
});

// Returns a document fragment.
export function renderMarkdown(text) {
  return purifier.sanitize(marked.parse(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "start", "align"],
    ALLOWED_URI_REGEXP: SCHEMES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
