// The server's life: found, started, asked, restarted. Every failure ends in a message with its
// fix; nothing here decides what is suggested.

import { createInterface } from "node:readline";
import { setImmediate as soon, setTimeout } from "node:timers/promises";
import {
  type CancellationToken,
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  commands,
} from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  DidChangeConfigurationNotification,
  LSPErrorCodes,
  type MessageTransports,
  ErrorCodes,
  ProgressType,
  ResponseError,
  RevealOutputChannelOn,
  type ServerOptions,
  State,
} from "vscode-languageclient/node";
import { failures } from "../messages.ts";
import { WrongSetting } from "../settings.ts";
import { show } from "../ui/show.ts";
import { EXPERIMENTAL, STATUS_DID_CHANGE, TRAIN_PROGRESS, type Status } from "../wire.ts";
import { Crashes } from "./crashes.ts";
import type { Found } from "./find.ts";
import { leveller } from "./logLines.ts";
import { end, whileWanted } from "./patience.ts";
import { SELECTOR } from "./selector.ts";
import { told } from "./told.ts";
import { isTooOld } from "./version.ts";
import { lookForServer } from "./wanted.ts";

const LAST_WORDS_MS = 1000;
const SEARCH_MS = 120_000; // each of several interpreters may take its time
const START_MS = 60_000; // far more than a cold disk needs: nothing is loaded before it answers
const DRAFT = new ProgressType<unknown>();
/** How a request fails whose server has ended. */
const ENDED = new Set<number>([ErrorCodes.PendingResponseRejected, ErrorCodes.ConnectionInactive]);

/** Its errors go to the log; what a person must know is said in `messages.ts`. */
class QuietClient extends LanguageClient {
  #wanted = true;

  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  /** End the server's program, at once or as soon as it is there. */
  giveUp(): void {
    this.#wanted = false;
    end(this.serverProcess);
  }

  protected override async createMessageTransports(encoding: string): Promise<MessageTransports> {
    const transports = await super.createMessageTransports(encoding);
    if (!this.#wanted) end(this.serverProcess);
    return transports;
  }
}

export type Life = "stopped" | "starting" | "running" | "failed";

export class Server {
  readonly #context: ExtensionContext;
  readonly #log: LogOutputChannel;
  #client: LanguageClient | undefined;
  #turn: Promise<void> = Promise.resolve();
  #crashes = new Crashes();
  #life: Life = "stopped";
  #found: Found | undefined;
  #server: string | undefined;
  #unwanted = new AbortController();
  #asked = 0;
  #lastLine = "";
  #drafts = 0;
  #saidAll: Promise<void> = Promise.resolve();
  readonly #lived = new EventEmitter<Life>();
  readonly #status = new EventEmitter<Status>();
  readonly #answered = new EventEmitter<number>();
  readonly #told = new EventEmitter<void>();
  readonly #executed = new EventEmitter<{ command: string; args: unknown[] }>();
  readonly #training = new EventEmitter<Record<string, unknown>>();
  readonly onLife = this.#lived.event;
  readonly onStatus = this.#status.event;
  /** An inline completion was answered, after so many milliseconds. */
  readonly onAnswered = this.#answered.event;
  /** The server was told its settings. */
  readonly onTold = this.#told.event;
  /** The server has run a command of its own, whoever asked for it. */
  readonly onExecuted = this.#executed.event;
  readonly onTraining = this.#training.event;

  constructor(context: ExtensionContext, log: LogOutputChannel) {
    this.#context = context;
    this.#log = log;
  }

  get life(): Life {
    return this.#life;
  }

  get #version(): string {
    return this.#client?.initializeResult?.serverInfo?.version ?? "";
  }

  /** Say that this server is too old to do something. */
  cannot(what: string): void {
    if (this.#found) show(failures.cannot(what, this.#version, this.#found));
  }

  /**
   * Start, or stop and start. One at a time, in the order they were asked for; of several the last
   * one is done, and a start that is under way is given up.
   */
  restart(): Promise<void> {
    this.#crashes = new Crashes();
    const asked = this.#supersede();
    return this.#next(async () => {
      if (asked === this.#asked) await this.#restart();
    });
  }

  #supersede(): number {
    this.#unwanted.abort();
    return ++this.#asked;
  }

  /** Restart if another server is to be run than the one that is; what it does and knows is kept else. */
  async reconsider(): Promise<void> {
    const now = await lookForServer(this.#context).then(
      ({ server }) => server,
      () => undefined, // what is wrong is said by the start
    );
    const alive = this.#life === "running" || this.#life === "starting";
    if (!alive || now === undefined || now !== this.#server) await this.restart();
  }

  async #restart(): Promise<void> {
    await this.#stop();
    await this.#start();
  }

  /**
   * The answer to a request of our own, undefined if it was cancelled or a failure was shown.
   * `what` completes "this server is too old to ...". `hear` gets the drafts until the answer.
   */
  async ask<T>(
    method: string,
    params: unknown,
    what: string,
    token?: CancellationToken,
    hear?: (draft: unknown) => void,
  ): Promise<T | undefined> {
    const client = await this.#running();
    if (client === undefined) return undefined;
    const partialResultToken = `diffill-draft-${++this.#drafts}`;
    const hearing = hear && client.onProgress(DRAFT, partialResultToken, hear);
    const sent = hear ? { ...(params as object), partialResultToken } : params;
    try {
      // A token that is undefined would be taken for a second parameter.
      return await (token ? client.sendRequest<T>(method, sent, token) : client.sendRequest<T>(method, sent));
    } catch (error) {
      const code = error instanceof ResponseError ? error.code : undefined;
      if (code !== undefined && ENDED.has(code)) {
        // Else it was stopped on purpose, or `closed` has said that it is not started again.
        if (this.#client === client && this.#life !== "failed") show(failures.ended(what));
        return undefined;
      }
      if (code === ErrorCodes.MethodNotFound) this.cannot(what);
      else if (code === LSPErrorCodes.RequestCancelled || code === LSPErrorCodes.ContentModified) return undefined;
      else show({ text: `Diffill cannot ${what}: ${error instanceof Error ? error.message : error}`, fixes: ["Show Log"] });
      return undefined;
    } finally {
      hearing?.dispose();
    }
  }

  /** Like `ask`, for what is only looked at: without a word when there is no answer. */
  async peek<T>(method: string, params: unknown = null): Promise<T | undefined> {
    if (this.#client === undefined || this.#life !== "running") return undefined;
    return this.#client.sendRequest<T>(method, params).catch(() => undefined);
  }

  /** Run a command of the server's; undefined as for `ask`. */
  async execute(command: string, args: unknown[], what: string): Promise<unknown> {
    const client = await this.#running();
    if (client === undefined) return undefined;
    if (!client.initializeResult?.capabilities.executeCommandProvider?.commands.includes(command)) {
      this.cannot(what);
      return undefined;
    }
    const answer = await this.ask("workspace/executeCommand", { command, arguments: args }, what);
    if (answer !== undefined) this.#executed.fire({ command, args });
    return answer;
  }

  stop(): Promise<void> {
    this.#supersede();
    return this.#next(() => this.#stop());
  }

  /** What fails must not keep the next one from its turn. */
  #next(does: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(does).catch((error: unknown) => this.#log.error(`${error}`));
    return this.#turn;
  }

  /** The client, when it has started if it is about to; undefined if none runs, which has been said. */
  async #running(): Promise<LanguageClient | undefined> {
    const failed = this.#life === "failed";
    for (let turn: unknown; turn !== this.#turn; ) await (turn = this.#turn);
    if (this.#life === "running") return this.#client;
    if (failed) show(failures.notRunning()); // else `#start` has just said why
    return undefined;
  }

  #lives(life: Life): void {
    this.#life = life;
    void commands.executeCommand("setContext", "diffill.ready", life === "running");
    this.#lived.fire(life);
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    this.#lives("stopped");
    await client.dispose(2000).catch((error: unknown) => this.#log.warn(`while stopping: ${error}`));
  }

  async #start(): Promise<void> {
    this.#lives("starting");
    try {
      await this.#launch();
    } catch (error) {
      this.#lives("failed");
      const why = error instanceof Error ? error.message : String(error);
      const wrong = error instanceof WrongSetting;
      this.#log.error(wrong || !(error instanceof Error) ? why : (error.stack ?? why));
      show(wrong ? failures.noServer(why, error.setting) : failures.notLaunched(why));
    }
  }

  async #launch(): Promise<void> {
    const unwanted = (this.#unwanted = new AbortController()).signal;
    this.#server = undefined;
    const looked = await whileWanted(lookForServer(this.#context), SEARCH_MS, unwanted);
    if (looked === "unwanted" || unwanted.aborted) return this.#lives("stopped");
    if (looked === "late") throw new Error(`looking for it took longer than ${SEARCH_MS / 1000} seconds`);
    const { search, args, server } = looked;
    if ("problem" in search) {
      this.#log.error(search.problem);
      this.#lives("failed");
      show(failures.noServer(search.problem, search.setting));
      return;
    }
    const found = (this.#found = search.found);
    this.#server = server;
    this.#log.info(`starting ${found.command} ${found.args.join(" ")} (from ${found.source})`);
    this.#lastLine = "";
    const client = this.#build(found, args);
    this.#client = client;
    try {
      const came = await whileWanted(client.start(), START_MS, unwanted);
      if (came !== undefined) {
        this.#client = undefined;
        client.giveUp();
        this.#lives(came === "late" ? "failed" : "stopped");
        if (came === "late") show(failures.notStarted(found.command, `it gave no answer within ${START_MS / 1000} seconds`));
        return;
      }
    } catch (error) {
      this.#lives("failed");
      await Promise.race([this.#saidAll, setTimeout(LAST_WORDS_MS)]);
      const why = this.#lastLine || (error instanceof Error ? error.message : String(error));
      show(failures.notStarted(found.command, why));
      return;
    }
    if (isTooOld(this.#version)) show(failures.tooOld(this.#version, found));
  }

  #build(found: Found, extra: string[]): QuietClient {
    const server: ServerOptions = {
      command: found.command,
      args: [...found.args, ...extra],
      options: { cwd: this.#context.extensionPath },
    };
    const options: LanguageClientOptions = {
      documentSelector: SELECTOR,
      initializationOptions: told(),
      outputChannel: this.#log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      stdioOptions: {
        stdout: (input) => createInterface({ input }).on("line", (line) => this.#log.info(line)),
        stderr: (input) => {
          const levelled = leveller();
          const lines = createInterface({ input });
          this.#saidAll = new Promise((resolve) => lines.on("close", resolve));
          lines.on("line", (line) => {
            const { level, text } = levelled(line);
            this.#lastLine = text.trim() || this.#lastLine;
            this.#log[level](text);
          });
        },
      },
      initializationFailedHandler: () => false, // `#start` says it
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue }),
        closed: () => {
          const done = { action: CloseAction.DoNotRestart, handled: true };
          // One that never ran would not run the second time; `#launch` says why.
          if (client.state !== State.Running || this.#client !== client) return done;
          if (!this.#crashes.restartAfter(Date.now())) {
            this.#lives("failed");
            show(failures.crashed(this.#crashes.limit + 1));
            return done;
          }
          // Not by the client: what it starts waits for no turn, and it tells nobody if it cannot.
          this.#lives("starting");
          void this.#next(async () => {
            await soon(); // the client puts itself away first
            if (this.#client === client) await this.#restart();
          });
          return { ...done, message: "the server ended by itself; starting it again" };
        },
      },
      middleware: {
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const begun = performance.now();
          const items = await next(document, position, context, token);
          if (!token.isCancellationRequested) this.#answered.fire(performance.now() - begun);
          return items;
        },
        executeCommand: async (command, args, next) => {
          const answer: unknown = await next(command, args);
          if (answer) this.#executed.fire({ command, args });
          return answer;
        },
        workspace: {
          configuration: async (params, token, next) => {
            const answers = await next(params, token);
            setImmediate(() => this.#told.fire()); // when the answer has been sent
            if (!Array.isArray(answers)) return answers;
            return answers.map((answer, index) => (params.items[index]?.section === "diffill" ? told(answer) : answer));
          },
          // An empty change: the server asks for what it may see.
          didChangeConfiguration: async () =>
            client.sendNotification(DidChangeConfigurationNotification.type, { settings: null }),
        },
      },
    };
    const client = new QuietClient("diffill", "Diffill", server, options);
    client.registerFeature({
      fillClientCapabilities: (capabilities) => {
        capabilities.experimental = { ...(capabilities.experimental as object), ...EXPERIMENTAL };
      },
      initialize: () => {},
      getState: () => ({ kind: "static" }),
      clear: () => {},
    });
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running && this.#client === client) this.#lives("running");
    });
    client.onNotification(STATUS_DID_CHANGE, (status: Status) => this.#status.fire(status));
    client.onNotification(TRAIN_PROGRESS, (event: Record<string, unknown>) => this.#training.fire(event));
    return client;
  }
}
