// `node --experimental-websocket e2e/peer.mjs URL ROOM`: a member without a browser, over a WebSocket. It says a line every 200 ms until its
// standard input has one, and tells each thing that happens as a JSON object a line. Leaves at the end of its input.
import { connect } from '../../../../client/web/dist/index.js';

const EVERY_MS = 200;
const FRAME_MS = 16;

const [url, room] = process.argv.slice(2);
const tell = (what) => console.log(JSON.stringify(what));

const client = await connect(url, { name: 'Near', room });
client.on('message', ({ id, text }) => tell({ line: { id, text } }));
client.on('chatHistory', ({ messages }) => messages.forEach(({ id, text }) => tell({ past: { id, text } })));
client.on('chatSent', ({ id, isSaved }) => isSaved && tell({ saved: id }));
for (const event of ['reconnecting', 'resumed', 'memberAway', 'memberBack', 'memberLeft', 'close']) client.on(event, () => tell({ event }));

let said = 0;
let answered = 0;
let isQuiet = false;
function say() {
  client.chat.send(`near ${++said}`).then(
    () => answered++,
    (error) => tell({ refused: error.code ?? String(error) }),
  );
}
const talking = setInterval(say, EVERY_MS);
setInterval(() => {
  client.update();
  if (isQuiet && answered === said) {
    isQuiet = false;
    tell({ said });
  }
}, FRAME_MS);

process.stdin.once('data', () => {
  clearInterval(talking);
  isQuiet = true;
});
process.stdin.once('end', () => void client.close().then(() => process.exit(0)));
