import { StrictMode, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { Client } from 'tickwire';
import { useFrame, useTickwire } from 'tickwire/react';
import type { Minimal } from './minimal';

// ANCHOR: component
function Game() {
  const [name] = useState(() => `Dot ${1000 + Math.floor(Math.random() * 9000)}`);
  const { status, client, error, room, members, reconnect } = useTickwire<Minimal>(location.origin, { name, rejoin: true });
  const canvas = useRef<HTMLCanvasElement>(null);
  useFrame(client, (client) => paint(client, canvas.current?.getContext('2d')));
  if (status === 'closed') return <button onClick={reconnect}>{error?.message} – connect again</button>;
  return (
    <>
      <canvas ref={canvas} width={600} height={600} onPointerDown={() => client?.setInput({ right: 1 })} />
      <h1>{room?.name ?? 'connecting …'}</h1>
      <ul>{[...members.values()].map(({ player, name }) => <li key={player}>{name}</li>)}</ul>
    </>
  );
}

createRoot(document.querySelector('#root')!).render(<StrictMode><Game /></StrictMode>);
// ANCHOR_END: component

function paint({ entities }: Client<Minimal>, pen: CanvasRenderingContext2D | null | undefined) {
  pen?.clearRect(0, 0, 600, 600);
  for (const { pos, mine } of entities.of('Dot')) {
    if (pen) pen.fillStyle = mine ? 'gold' : 'skyblue';
    pen?.fillRect(pos.x * 3 + 292, 292 - pos.y * 3, 16, 16);
  }
}
