/** A list that is read page by page, as it is iterated. */
export class Paginator<Item, Page extends { results: Item[] }> implements AsyncIterable<Item> {
  readonly #read: (query: NextQuery) => Promise<Page>;

  constructor(read: (query: NextQuery) => Promise<Page>) {
    this.#read = read;
  }

  /** Iterate over the pages. A page may have fewer rows than `page_size`, also if it is not the last. */
  async *pages(): AsyncGenerator<Page, void, undefined> {
    for (let query: NextQuery | null = {}; query; ) {
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

export type NextQuery = Record<string, string | string[]>;

/** Return the query of the page after `page`, or null. Only the query of `next` is used, never its host. */
export function nextQuery(page: object): NextQuery | null {
  const { next, next_before: before } = page as { next?: string | null; next_before?: string | number | null };
  if (next) {
    const { searchParams: query } = new URL(next, "http://localhost");
    return Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)])); // a filter may be repeated
  }
  return before === undefined || before === null ? null : { before: String(before) };
}
