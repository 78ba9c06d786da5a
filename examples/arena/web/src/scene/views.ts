/** One picture for each visible entity: created when it appears, removed when it is gone. */
export class Views<E extends { readonly id: number }, V> {
  readonly #views = new Map<number, { view: V; frame: number }>();
  readonly #make: (entity: E) => V;
  readonly #remove: (view: V) => void;
  #frame = 0;

  /** `make` is called at an entity's first frame. */
  constructor(make: (entity: E) => V, remove: (view: V) => void) {
    this.#make = make;
    this.#remove = remove;
  }

  /** Shows exactly these entities. `fresh` is true in an entity's first frame. */
  sync(entities: readonly E[], show: (view: V, entity: E, fresh: boolean) => void): void {
    this.#frame++;
    for (const entity of entities) {
      let slot = this.#views.get(entity.id);
      const fresh = !slot;
      if (!slot) this.#views.set(entity.id, (slot = { view: this.#make(entity), frame: 0 }));
      slot.frame = this.#frame;
      show(slot.view, entity, fresh);
    }
    for (const [id, { view, frame }] of this.#views) {
      if (frame === this.#frame) continue;
      this.#views.delete(id);
      this.#remove(view);
    }
  }

  /** The picture of an entity that the last frame showed. */
  get(id: number): V | undefined {
    return this.#views.get(id)?.view;
  }
}
