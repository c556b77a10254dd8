// Which documents the server serves. Cells of notebooks reach it with their notebook, not as
// documents of their own: the client keeps what it synchronises the one way out of the other.

export const LANGUAGES = ["python", "javascript", "javascriptreact", "typescript", "typescriptreact", "go", "rust", "java", "c", "cpp"];
const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];

export const SELECTOR = SCHEMES.flatMap((scheme) => LANGUAGES.map((language) => ({ language, scheme })));
