import { index, route } from '@react-router/dev/routes';

export default [index('routes/home.jsx'), route('form', 'routes/form.js'), route('upload', 'routes/upload.js'), route('stream', 'routes/stream.js')];
