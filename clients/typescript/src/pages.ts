/** A list that is read page by page, as it is iterated. */
export class Paginator<Item, Page extends { results: Item[] }> implements AsyncIterable<Item> {
  readonly #read: (query: Record<string, string>) => Promise<Page>;

  constructor(read: (query: Record<string, string>) => Promise<Page>) {
    this.#read = read;
  }

  /** Iterate over the pages. A page may have fewer rows than `page_size`, also if it is not the last. */
  async *pages(): AsyncGenerator<Page, void, undefined> {
    for (let query: Record<string, string> | null = {}; query; ) {
      const page: Page = await this.#read(query);
      yield page;
      query = nextQuery(page);
    }
  }

  /** Iterate over the items of all pages. An item that moved to a later page meanwhile is not repeated. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    const seen = new Set<unknown>();
    for await (const page of this.pages()) {
      const numbered = "count" in page;
      for (const item of page.results) {
        // Cursors do not repeat rows, so only numbered pages need this memory.
        const id = numbered ? (item as { id?: unknown }).id : undefined;
        if (id !== undefined && seen.has(id)) continue;
        if (id !== undefined) seen.add(id);
        yield item;
      }
    }
  }

  /** Read all items, or the first `limit`. */
  async toArray({ limit = Infinity }: { limit?: number } = {}): Promise<Item[]> {
    const items: Item[] = [];
    if (limit <= 0) return items;
    for await (const item of this) if (items.push(item) >= limit) break;
    return items;
  }
}

/** Return the query of the page after `page`, or null. Only the query of `next` is used, never its host. */
function nextQuery(page: object): Record<string, string> | null {
  const { next, next_before: before } = page as { next?: string | null; next_before?: string | number | null };
  if (next) return Object.fromEntries(new URL(next, "http://localhost").searchParams);
  return before === undefined || before === null ? null : { before: String(before) };
}
