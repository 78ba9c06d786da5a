import type { ArenaClient } from './game';

/** Who is who: names as the server has them, teams as they were seen last. */
export class Roster {
  readonly #client: ArenaClient;
  readonly #names = new Map<number, string>();
  readonly #teams = new Map<number, number>();

  /** Of one session. */
  constructor(client: ArenaClient) {
    this.#client = client;
  }

  /** Takes over what is seen now. */
  update(): void {
    for (const { id, team } of this.#client.entities.of('Ship')) this.#teams.set(id, team);
    for (const { player, team } of this.#client.entities.of('Leader')) this.#teams.set(player, team);
    for (const { player, name } of this.#client.members.values()) this.#names.set(player, name);
  }

  /** The display name; of those who left as well. Empty for someone never heard of. */
  nameOf(player: number): string {
    return this.#client.members.get(player)?.name ?? this.#names.get(player) ?? '';
  }

  /** The team, if it was ever seen. */
  teamOf(player: number): number | undefined {
    return this.#teams.get(player);
  }
}
