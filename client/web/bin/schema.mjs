// A server's schema, fetched and checked: its bytes are not trusted.

/** Where a tickwire server tells its schema. */
export const SCHEMA_PATH = '/schema.json';

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 1024 * 1024;
const KINDS_MAX = 64;
const FIELDS_MAX = 64;
const VARIANTS_MAX = 65536;
const TEXT_BYTES_MAX = 64;
const ARRAY_LENGTH_MAX = 32;
const TYPES = new Set(['bool', 'int', 'float', 'angle', 'vec2', 'vec3', 'quat', 'choice', 'text']);
const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;
const NAME_CHARACTERS_MAX = 128;

/** The schema of the server at `url`. Throws an `Error` that says what to do. */
export async function fetchSchema(url) {
  let target;
  try {
    target = new URL(SCHEMA_PATH, url);
  } catch {
    throw new Error(`"${url}" is no address; give one such as http://localhost:4433/`);
  }
  if (!/^https?:$/.test(target.protocol)) throw new Error(`"${url}" is not HTTP; give the page's address, such as http://localhost:4433/`);
  let response;
  let text;
  try {
    response = await fetch(target, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await readText(response);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    const why = error.cause?.code ?? error.cause?.message ?? error.message;
    throw new Error(`no server answers at ${target.origin} (${why}); start it, and check the address and that it serves HTTP`);
  }
  if (!response.ok) {
    throw new Error(`${target} answers ${response.status}; is this a tickwire server? One without ${SCHEMA_PATH} is older: update it`);
  }
  try {
    return checkSchema(JSON.parse(text));
  } catch (error) {
    throw new Error(`${target} is not a tickwire schema: ${error.message}; check the address, or update the older of server and package`);
  }
}

/** The body, unless it is longer than any schema. */
async function readText(response) {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new RangeError(`${response.url} is longer than ${BYTES_MAX} bytes: no schema is; check the address`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `json` if it is a schema of which types can be made. Throws an `Error` that names what is wrong. */
export function checkSchema(json) {
  const { game, tickHz, input, entities, events, commands = [] } = json ?? {};
  if (typeof game !== 'string' || game === '' || game.length > NAME_CHARACTERS_MAX) throw new Error('it has no "game"');
  if (!Number.isInteger(tickHz) || tickHz < 1 || tickHz > 1000) throw new Error('"tickHz" is not 1 to 1000');
  return {
    game,
    tickHz,
    input: checkKind(input),
    entities: checkKinds(entities, 'entities'),
    events: checkKinds(events, 'events'),
    commands: checkKinds(commands, 'commands'),
  };
}

function checkKinds(kinds, what) {
  if (!Array.isArray(kinds) || kinds.length > KINDS_MAX) throw new Error(`"${what}" is not a list of at most ${KINDS_MAX}`);
  return unlike(kinds.map(checkKind), what);
}

function checkKind(kind) {
  const name = checkName(kind?.name);
  const { fields } = kind;
  if (!Array.isArray(fields) || fields.length > FIELDS_MAX) throw new Error(`${name} has no list of at most ${FIELDS_MAX} fields`);
  return { name, fields: unlike(fields.map((field) => checkField(name, field)), name) };
}

function checkField(kind, field) {
  const name = checkName(field?.name);
  const { type, min, max, step, optional = false, length, ownerOnly = false, velocity, choice } = field;
  if (!TYPES.has(type)) throw new Error(`${kind}.${name} is of the unknown type ${JSON.stringify(type)}`);
  for (const number of [min, max, step]) {
    if (!Number.isFinite(number)) throw new Error(`${kind}.${name} has no "min", "max" and "step"`);
  }
  const indexes = type !== 'choice' || (min === 0 && Number.isInteger(max) && max < VARIANTS_MAX);
  const bytes = type !== 'text' || (Number.isInteger(max) && max > 0 && max <= TEXT_BYTES_MAX);
  if (max < min || step <= 0 || !indexes || !bytes) throw new Error(`${kind}.${name} has no range`);
  const values = length == null || (Number.isInteger(length) && length > 0 && length <= ARRAY_LENGTH_MAX);
  if (!values) throw new Error(`${kind}.${name} has no length of 1 to ${ARRAY_LENGTH_MAX}`);
  const names = choice == null ? undefined : checkChoice(`${kind}.${name}`, choice, type === 'choice' ? max + 1 : 0);
  const shape = { optional: optional === true, length: length ?? undefined };
  return { name, type, ...shape, min, max, step, ownerOnly: ownerOnly === true, velocity: velocity == null ? undefined : checkName(velocity), choice: names };
}

/** An enum's name and those of its variants. Servers before it was told have none. */
function checkChoice(where, { name, variants }, count) {
  if (!Array.isArray(variants) || variants.length !== count) throw new Error(`${where} has not a name for each variant`);
  const names = variants.map(checkName);
  if (new Set(names).size < names.length) throw new Error(`${where} has a variant twice`);
  return { name: checkName(name), variants: names };
}

/** Names become code, so they are identifiers. */
function checkName(name) {
  if (typeof name === 'string' && name.length <= NAME_CHARACTERS_MAX && IDENTIFIER.test(name)) return name;
  throw new Error(`${JSON.stringify(name) ?? 'nothing'} is not a name`);
}

function unlike(named, where) {
  const names = named.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`${where} has "${twice}" twice`);
  return named;
}
