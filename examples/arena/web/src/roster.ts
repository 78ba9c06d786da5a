import type { ArenaClient, Team } from './game';

/** Names and teams of players: names from the server, teams as last seen. */
export class Roster {
  readonly #client: ArenaClient;
  readonly #names = new Map<number, string>();
  readonly #teams = new Map<number, Team>();

  /** For one session. */
  constructor(client: ArenaClient) {
    this.#client = client;
  }

  /** Updates the teams from the visible entities. */
  update(): void {
    for (const { id, team } of this.#client.entities.of('Ship')) this.#teams.set(id, team);
    for (const { player, team } of this.#client.entities.of('Leader')) this.#teams.set(player, team);
    for (const { player, name } of this.#client.members.values()) this.#names.set(player, name);
  }

  /** The display name, also of players who have left; empty for unknown players. */
  nameOf(player: number): string {
    return this.#client.members.get(player)?.name ?? this.#names.get(player) ?? '';
  }

  /** Whether no person steers it. */
  isBot(player: number): boolean {
    return this.#client.members.get(player)?.bot ?? false;
  }

  /** The team; undefined if it was never seen. */
  teamOf(player: number): Team | undefined {
    return this.#teams.get(player);
  }
}
