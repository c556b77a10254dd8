// As much of vscode-languageclient as the server's life needs: clients that are running as soon as they
// are started, and fail requests as a test chooses.

import { EventEmitter } from "./vscode.ts";

export class ResponseError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
export const ErrorCodes = { MethodNotFound: -32601, PendingResponseRejected: -32097, ConnectionInactive: -32096 };
export const LSPErrorCodes = { RequestCancelled: -32800, ContentModified: -32801 };
export const CloseAction = { DoNotRestart: 1 };
export const ErrorAction = { Continue: 1 };
export const RevealOutputChannelOn = { Never: 4 };
export const State = { Stopped: 1, Running: 2 };
export const DidChangeConfigurationNotification = { type: "workspace/didChangeConfiguration" };
export class ProgressType {}

interface Options {
  initializationOptions: unknown;
  errorHandler: { closed(): unknown };
  middleware: {
    workspace: { configuration(params: object, token: unknown, next: () => unknown): Promise<unknown> };
  };
}

export class LanguageClient {
  /** Every client that was made, the last one at the end. */
  static readonly made: LanguageClient[] = [];
  state = State.Stopped;
  readonly initializeResult = { capabilities: {} };
  readonly options: Options;
  readonly #changed = new EventEmitter<{ newState: number }>();
  readonly onDidChangeState = this.#changed.event;
  #reject: ((error: Error) => void) | undefined;

  constructor(_id: string, _name: string, _server: object, options: Options) {
    this.options = options;
    LanguageClient.made.push(this);
  }
  async start(): Promise<void> {
    this.state = State.Running;
    this.#changed.fire({ newState: State.Running });
  }
  sendRequest(): Promise<unknown> {
    return new Promise((_, reject) => (this.#reject = reject));
  }
  async dispose(): Promise<void> {
    this.state = State.Stopped;
    this.#disposed();
  }
  /** The server ends by itself: as the client does, first what waits for it fails, then that is handled. */
  ends(): void {
    this.#disposed();
    this.options.errorHandler.closed();
    this.state = State.Stopped;
  }
  #disposed(): void {
    this.#reject?.(new ResponseError(ErrorCodes.PendingResponseRejected, "Pending response rejected since connection got disposed"));
  }
  registerFeature(): void {}
  onNotification(): void {}
}
