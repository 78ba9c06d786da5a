import '@fontsource/chakra-petch/500.css';
import '@fontsource/chakra-petch/600.css';
import '@fontsource/chakra-petch/700.css';
import './style/base.css';
import './style/hud.css';
import './style/chat.css';
import './style/touch.css';
import './style/screens.css';
import './style/start.css';
import { App } from './app';
import { noteTouch } from './controls/touch';
import { byId } from './dom';
import { connectHome } from './home';
import { installHook } from './hook';
import { Scene } from './scene/scene';
import { MessageScreen } from './screens';

noteTouch();
const app = Scene.create(byId('scene')).then((scene) => new App(scene, connectHome));
installHook(app);
app.catch((error: unknown) => {
  reportError(error);
  new MessageScreen().show({
    title: 'This browser cannot draw',
    text: 'The arena needs WebGL. Switch on graphics acceleration, or use another browser.',
    code: error instanceof Error ? error.message : String(error),
    action: 'Try again',
    act: () => location.reload(),
  });
});
