// TypeScript types of a checked schema.

/** The first words of every file that is made. */
export const MADE_BY = '// Made by `npx tickwire types`';

const VECTORS = { vec2: 'Vec2', vec3: 'Vec3', quat: 'Quat' };
/** Most variants without names for which an index is written as a union. */
const UNION_MAX = 16;
/** Most variants that are written as a union of their names. */
const NAMES_MAX = 256;
const RESERVED = /^(?:Game|default|class|const|enum|export|extends|function|import|new|return|static|super|switch|this|throw|typeof|var|with|yield|in|if|do|for|try|case|else|true|false|await|break|catch|while|delete|Vec2|Vec3|Quat|any|boolean|number|object|string|symbol|undefined|unknown|never|void|null)$/;

/**
 * The module of a schema, as text. `name` is what its interface is called. With `isAmbient` it has types alone, as a file
 * that ends in `.d.ts` must.
 */
export function typesOf(schema, name = nameOf(schema.game), isAmbient = false) {
  if (!/^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(name) || RESERVED.test(name)) {
    throw new Error(`"${name}" cannot be the name of an interface; give another with --name`);
  }
  const types = new Set(tablesOf(schema).flatMap(({ fields }) => fields.map(({ type }) => VECTORS[type])));
  const choices = choicesOf(schema, name);
  const imports = ['Game', ...['Quat', 'Vec2', 'Vec3'].filter((type) => types.has(type))];
  return [
    `${MADE_BY} of the schema that the server tells. To change it, run that again.`,
    `import type { ${imports.join(', ')} } from 'tickwire';`,
    '',
    `/** The game ${JSON.stringify(schema.game).replaceAll('*/', '*\\/')}, ${schema.tickHz} ticks a second. */`,
    `export interface ${name} extends Game {`,
    '  /** What a player holds down. */',
    ...kind('  ', 'input', schema.input, choices),
    '  /** What is seen. */',
    ...kinds('entities', schema.entities, choices),
    '  /** What happens once. */',
    ...kinds('events', schema.events, choices),
    '  /** What a player asks for once. */',
    ...kinds('commands', schema.commands, choices),
    '}',
    ...[...new Set(choices.values())].flatMap(({ name, variants }) => ['', `export type ${name} = ${unionOf(variants)};`]),
    ...(isAmbient ? [] : builtFor(schema, name)),
    '',
  ].join('\n');
}

function tablesOf({ input, entities, events, commands }) {
  return [input, ...entities, ...events, ...commands];
}

/** What the enum of each field is called here: by its own name, or, where that is taken, by its kind and field. */
function choicesOf(schema, interfaceName) {
  const named = new Map([[interfaceName, undefined]]);
  const choices = new Map();
  for (const { name: kindName, fields } of tablesOf(schema)) {
    for (const field of fields.filter(({ choice }) => choice && choice.variants.length <= NAMES_MAX)) {
      const { name, variants } = field.choice;
      const own = kindName + field.name[0].toUpperCase() + field.name.slice(1);
      const fits = (name) => !RESERVED.test(name) && (!named.has(name) || sameNames(named.get(name)?.variants, variants));
      const taken = [name, own, `${own}Choice`].find(fits);
      if (!taken) continue;
      if (!named.get(taken)) named.set(taken, { name: taken, variants });
      choices.set(field, named.get(taken));
    }
  }
  return choices;
}

function sameNames(some, others) {
  return some?.length === others.length && some.every((name, at) => name === others[at]);
}

function unionOf(variants) {
  return variants.map((variant) => `'${variant}'`).join(' | ');
}

/** What a client compares with its server's schema; see `src/showing.ts`. */
function builtFor({ game, input, entities, events, commands }, name) {
  const table = ({ fields }) => {
    const types = fields.map(({ name, type, choice, length, optional }) => {
      const one = choice ? `${type} of ${choice.variants.join(', ')}` : type;
      const times = length === undefined ? '' : `${length} times `;
      return `${name}: ${JSON.stringify(`${times}${one}${optional ? ', or none' : ''}`)}`;
    });
    return types.length > 0 ? `{ ${types.join(', ')} }` : '{}';
  };
  const tables = (name, kinds) => {
    if (kinds.length === 0) return [`  ${name}: {},`];
    return [`  ${name}: {`, ...kinds.map((kind) => `    ${kind.name}: ${table(kind)},`), '  },'];
  };
  return [
    '',
    '/** What this was made of. As the option `schema` of `connect`, it has a server of other rules told on the console. */',
    `export const ${name[0].toLowerCase()}${name.slice(1)}Schema = {`,
    `  game: ${JSON.stringify(game)},`,
    `  input: ${table(input)},`,
    ...tables('entities', entities),
    ...tables('events', events),
    ...tables('commands', commands),
    '};',
  ];
}

/** `space-race 2` as `SpaceRace2`. */
function nameOf(game) {
  const words = game.split(/[^\p{ID_Continue}]+|_+/u).filter((word) => word !== '');
  const joined = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
  return /^\p{ID_Start}/u.test(joined) ? joined : `Game${joined}`;
}

function kinds(name, list, choices) {
  if (list.length === 0) return [`  ${name}: {};`];
  return [`  ${name}: {`, ...list.flatMap((each) => kind('    ', each.name, each, choices)), '  };'];
}

function kind(indent, name, { fields }, choices) {
  if (fields.length === 0) return [`${indent}${name}: {};`];
  const lines = fields.flatMap((field) => {
    const choice = choices.get(field);
    const words = doc(field);
    return [...(words ? [`${indent}  /** ${words} */`] : []), `${indent}  ${field.name}: ${typeOf(field, choice)};`];
  });
  return [`${indent}${name}: {`, ...lines, `${indent}};`];
}

function typeOf(field, choice) {
  const one = choice?.name ?? typeOfOne(field);
  const all = field.length === undefined ? one : one.includes('|') ? `(${one})[]` : `${one}[]`;
  return field.optional ? `${all} | null` : all;
}

function typeOfOne({ type, max, choice }) {
  if (type === 'bool') return 'boolean';
  if (type === 'text') return 'string';
  if (type !== 'choice') return VECTORS[type] ?? 'number';
  if (choice) return choice.variants.length <= NAMES_MAX ? unionOf(choice.variants) : 'string';
  return max < UNION_MAX ? Array.from({ length: max + 1 }, (_, variant) => variant).join(' | ') : 'number';
}

/** What the values of a field are, as far as its type does not say. */
function doc({ type, min, max, step, length, optional, ownerOnly, velocity, choice }) {
  const what = {
    bool: '',
    int: `Whole, ${min} to ${max}.`,
    float: `${min} to ${max} in steps of ${step}.`,
    angle: `Radians, -π to π in steps of ${Number(step.toPrecision(3))}.`,
    vec2: `Each ${min} to ${max} in steps of ${step}.`,
    vec3: `Each ${min} to ${max} in steps of ${step}.`,
    quat: 'A rotation.',
    text: `At most ${max} bytes of UTF-8.`,
    choice: choice ? (choice.variants.length > NAMES_MAX ? `The name of one of ${max + 1} variants.` : '') : `The index of one of ${max + 1} variants.`,
  }[type];
  const moved = velocity === undefined ? '' : `Changes by \`${velocity}\` a second.`;
  const values = length === undefined ? '' : `${length} values${optional ? ', or none' : ''}.`;
  return [values, what, moved, ownerOnly ? 'Told to its owner only.' : ''].filter((words) => words !== '').join(' ');
}
