import { tickwire } from 'tickwire/vite';
import { defineConfig } from 'vite';

export default defineConfig({ plugins: [tickwire()] });
