// What tells of a message that is not in sight: a toast, and a notification of the browser where that is permitted.
import { byId, button, element } from './dom';

const TOAST_MS = 6000;
const TOASTS_MAX = 3;

/** Shows a text for a while; a click on it acts. */
export function toast(title: string, text: string, act?: () => void): void {
  const toasts = byId('toasts');
  const made = element('div', 'toast');
  const open = button('', () => {
    made.remove();
    act?.();
  });
  open.append(element('b', '', title), element('span', '', text));
  const close = button('×', () => made.remove(), 'icon');
  close.ariaLabel = 'Close';
  made.append(open, close);
  toasts.append(made);
  while (toasts.children.length > TOASTS_MAX) toasts.firstElementChild!.remove();
  setTimeout(() => made.remove(), TOAST_MS);
}

/** Tells those who cannot see the page. */
export function announce(text: string): void {
  byId('announce').textContent = text;
}

/** Tells by the browser, if this page is hidden and may. */
export function notify(title: string, text: string, act: () => void): void {
  if (!document.hidden || !('Notification' in globalThis) || Notification.permission !== 'granted') return;
  try {
    const shown = new Notification(title, { body: text, tag: title });
    shown.onclick = () => {
      focus();
      act();
      shown.close();
    };
  } catch {
    // On phones only a service worker may.
  }
}

/** A button that asks for permission, where there is something to ask. */
export function offerNotifications(): void {
  const offer = byId('notify');
  const draw = () => (offer.hidden = !('Notification' in globalThis) || Notification.permission !== 'default' || !isSecureContext);
  offer.addEventListener('click', () => void Notification.requestPermission().then(draw));
  draw();
}
