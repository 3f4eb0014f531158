import type { ConnectionOptions } from 'node:tls';
import { NotReadyError } from '../../errors.js';
import { choice, type CloseOptions, duration, flag, integer, IocObject, list, text } from '../../ioc/index.js';
import { type ClientOptions, connect, type RedisClient } from './connect.js';
import { disconnect } from './disconnect.js';
import { checkRedis } from './rules.js';

/** The component `redis`: the settings of a Redis, and a client for them. Nothing connects until it is used. */
export class RedisConfig extends IocObject {
  @list({ about: 'Servers as host:port; several are a Cluster, or the Sentinels of master_name.', minLength: 1 })
  endpoints = ['127.0.0.1:6379'];

  @flag({ about: 'Whether a single endpoint leads to a Cluster, as the one address of a hosted Cluster does.' })
  cluster = false;

  @integer({ about: 'Number of the database; a Cluster has only 0.', min: 0 })
  db = 0;

  @text({ about: 'User of the access control list; empty means the default user.' })
  username = '';

  @text({ about: 'Password of the user; empty means none.', secret: true })
  password = '';

  @flag({
    about: 'Accepted from files shared with Go; changes nothing, ioredis always reports to diagnostics channels.',
  })
  trace = true;

  @flag({ about: 'Accepted from files shared with Go; changes nothing, ioredis counts nothing.' })
  metric = false;

  @choice(['static'], { about: 'Where username and password come from: from here.' })
  credentialMode = 'static';

  @text({ about: 'Name of the master that the Sentinels at endpoints know; empty means no Sentinels.' })
  masterName = '';

  @text({ about: 'User at the Sentinels; empty means the default user.' })
  sentinelUsername = '';

  @text({ about: 'Password at the Sentinels; empty means none.', secret: true })
  sentinelPassword = '';

  @flag({ about: 'Whether connections are encrypted, those to Sentinels too.' })
  tls = false;

  @text({ about: "PEM file of the authorities to trust instead of the system's, as seen from the working directory." })
  tlsCaFile = '';

  @text({ about: 'PEM file of the certificate to show to the server, as seen from the working directory.' })
  tlsCertFile = '';

  @text({ about: 'PEM file of the key of that certificate, as seen from the working directory; without a passphrase.' })
  tlsKeyFile = '';

  @text({ about: "Name to expect in the server's certificate; empty means the host of the endpoint." })
  tlsServerName = '';

  @flag({ about: 'Whether a certificate that cannot be trusted ends the connection.' })
  tlsVerify = true;

  @duration({ about: 'How long a connection may take to be made.', least: 1 })
  connectTimeout = 5_000;

  @duration({ about: 'How long a command may take, the wait for a connection included.', least: 1 })
  commandTimeout = 5_000;

  /** Known once the settings were checked; holds the content of files, the key's too. */
  #checked: { readonly tls: ConnectionOptions | undefined } | undefined;
  #client: RedisClient | undefined;

  override name(): string {
    return 'redis';
  }

  override priority(): number {
    return 697;
  }

  override onPostConfig(): void {
    this.#checked = { tls: checkRedis(this) };
  }

  override init(): void {
    this.#client = this.createClient();
  }

  override async close({ signal }: CloseOptions): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#checked = undefined;
    if (client) await disconnect(client, signal);
  }

  /**
   * The client that everybody shares; connects with its first command. Do not subscribe or block on it: make one of your
   * own with `createClient`.
   * @throws {NotReadyError} the container is not set up, or was stopped
   */
  client(): RedisClient {
    if (this.#client) return this.#client;
    throw notReady();
  }

  /**
   * Another client with the same settings, for a connection of one's own; whoever makes it disconnects it.
   * @param overrides options of ioredis that win; at a Cluster they go to the nodes, or to the Cluster itself where it has
   *   an option of that name
   * @throws {NotReadyError} the container is not set up, or was stopped
   */
  createClient(overrides: ClientOptions = {}): RedisClient {
    if (!this.#checked) throw notReady();
    return connect(this, this.#checked.tls, overrides);
  }
}

function notReady(): NotReadyError {
  return new NotReadyError('redis: there is no client before setup and after stop; call await ioc.developmentSetup()');
}
