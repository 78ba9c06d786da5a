import type { Core } from './core.js';
import type { Game } from './entities.js';
import { TickwireError } from './errors.js';
import type { GameEvent } from './events.js';
import type { CoreEvent } from './messages.js';
import { showBy } from './modes.js';
import { Predictor } from './prediction.js';
import { RecordWriter, readRecord, type Schema } from './schema.js';
import { type BuiltFor, type Showing, tellDifferences } from './showing.js';

/** What a session knows of the game once the server has described it: what is held, and what is predicted. */
export class Steering<G extends Game> {
  readonly #showing: Showing<G>;
  #schema: Schema | undefined;
  #input: RecordWriter | undefined;
  #predictor: Predictor | undefined;
  #difference: string | undefined;

  constructor(showing: Showing<G>) {
    this.#showing = showing;
  }

  /** The server's description of its game, once it has said welcome. */
  get schema(): Schema | undefined {
    return this.#schema;
  }

  /** The rules that the page was built for, if it says so. */
  get builtFor(): BuiltFor | undefined {
    return this.#showing.schema;
  }

  /** In what the page is of other rules than the server, and what to do. */
  get difference(): string | undefined {
    return this.#difference;
  }

  /** The server has said welcome. Throws a `TypeError` for steps and modes of kinds that the game does not have. */
  begin(core: Core, schema: Schema): void {
    this.#schema = schema;
    this.#input = new RecordWriter(schema.input);
    const { predict, modes, schema: builtFor } = this.#showing;
    this.#difference = tellDifferences(core, schema, builtFor);
    if (modes) showBy(core, schema, modes);
    if (predict) this.#predictor = new Predictor(schema, predict);
    this.#predictor?.begin(core);
  }

  /** Holds these fields of the input; nothing before the welcome. */
  hold(core: Core, changes: Partial<G['input']>): void {
    if (this.#input) core.setInput(this.#input.write(changes));
  }

  /** What a step failed with, once; then nothing is predicted any more. */
  takeFailure(core: Core): TickwireError | undefined {
    const error = this.#predictor?.error;
    if (!error) return undefined;
    this.#predictor = undefined;
    core.predictNothing();
    return error;
  }

  /** An event of the game as an object; nothing for a kind that it does not have. */
  event({ kind: number, tick, values, predicted }: CoreEvent & { type: 'event' | 'cancelled' }): GameEvent<G> | undefined {
    const kind = this.#schema?.events[number];
    if (!kind) return undefined;
    const event: Record<string, unknown> = { kind: kind.name, tick, predicted };
    readRecord(kind, values, 0, event);
    return event as GameEvent<G>;
  }
}
