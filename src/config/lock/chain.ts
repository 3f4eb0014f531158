/** What can stand in a chain, in one at a time; undefined on both sides for one that stands alone, or in none. */
export interface Link<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * First in, first out, and out of the middle in one step. Where links come and go without end it costs the collector of
 * garbage nothing, unlike a `Set`, whose outgrown tables point to each other and are copied until all of them are dropped.
 */
export class Chain<T extends Link<T>> {
  head: T | undefined;
  tail: T | undefined;

  has(link: T): boolean {
    return link.previous !== undefined || this.head === link;
  }

  /** Puts it at the end; whether it did: one that stands here already stays where it is. */
  push(link: T): boolean {
    if (this.has(link)) return false;
    link.previous = this.tail;
    if (this.tail) this.tail.next = link;
    else this.head = link;
    this.tail = link;
    return true;
  }

  /** Whether it stood here. */
  remove(link: T): boolean {
    if (!this.has(link)) return false;
    if (link.previous) link.previous.next = link.next;
    else this.head = link.next;
    if (link.next) link.next.previous = link.previous;
    else this.tail = link.previous;
    link.previous = link.next = undefined;
    return true;
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (let link = this.head; link; link = link.next) yield link;
  }
}
