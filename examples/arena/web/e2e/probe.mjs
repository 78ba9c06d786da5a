import { startBrowser } from './browsers.mjs';
import { startServer } from './server.mjs';
