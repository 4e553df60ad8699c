/** The bundler turns an imported stylesheet into a file beside the script; the import itself has no value. */
declare module '*.css';
