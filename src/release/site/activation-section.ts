import { isAddress, isRegistryPlace } from '../address.ts';
import type { Catalog, CatalogRelease } from '../catalog/types.ts';
import { html, jsonData, type Markup } from './html.ts';
import type { PageRelease } from './page/release-data.ts';
import { isSigned } from './words.ts';

/**
 * The form that makes the activation file, for the page's script; without one the sentence that says where the file is. The form's values
 * never leave the page.
 */
export function activationSection(catalog: Catalog, release: CatalogRelease): Markup {
  const k0s = release.distribution === 'k0s';
  const certificate = certificateOf(catalog, release);
  const data: PageRelease = {
    name: release.name,
    version: release.version,
    distribution: release.distribution,
    url: release.address,
    images: release.images.map(({ architecture, file, size, sha256, rootHash }) => ({
      architecture,
      file,
      size,
      sha256,
      rootHash,
    })),
    ...(certificate === undefined ? {} : { certificatePem: certificate }),
  };
  const file = isAddress(release.address)
    ? html`<a href="${`${release.address}/${release.activation}`}">${release.activation}</a>`
    : html`<code>${release.activation}</code>`;
  return html`<p>Put one file into <code>/oem</code> of an installed Kairos core node and reboot, or make it part of the user-data of an installation. <span class="only-without-script">${file} of the release is that file for a single node; <code>sextant activation</code> makes it for any other.</span></p>
<script type="application/json" id="release">${jsonData(data)}</script>
<form class="activation needs-script" id="activation" autocomplete="off">
<div class="fields">
<fieldset><legend>This node</legend>
<label class="choice"><input type="radio" name="kind" value="single" checked><span><strong>Single node</strong><small>or the first server of a cluster</small></span></label>
<label class="choice"><input type="radio" name="kind" value="p2p"><span><strong>Peer to peer</strong><small>nodes find each other by a shared token</small></span></label>
<label class="choice"><input type="radio" name="kind" value="agent"><span><strong>Agent</strong><small>joins a server that is there</small></span></label>
</fieldset>
<div data-for="p2p" hidden>
<label class="field"><span>Network token</span><input name="token" type="password" spellcheck="false" aria-describedby="token-help"><small id="token-help">from <code>kairosctl generate-token</code>; it stays in this page</small></label>
<label class="field"><span>Role</span><select name="role"><option value="">the nodes agree</option><option>master</option><option>worker</option></select></label>
</div>
<div data-for="agent" hidden>
${
  k0s
    ? html`<label class="field"><span>Token file on the node</span><input name="tokenFile" placeholder="/etc/k0s/token" spellcheck="false"></label>`
    : html`<label class="field"><span>Server</span><input name="server" inputmode="url" placeholder="https://10.0.0.2:6443" spellcheck="false"></label>
<label class="field"><span>Token of the server</span><input name="joinToken" type="password" spellcheck="false" aria-describedby="join-help"><small id="join-help">from <code>/var/lib/rancher/k3s/server/node-token</code>; it stays in this page</small></label>`
}
</div>
<fieldset><legend>Trust</legend>
<label class="choice"><input type="radio" name="trust" value="pin" checked><span><strong>Pinned root hash</strong><small>a changed byte is a read error</small></span></label>
<label class="choice"><input type="radio" name="trust" value="strict"${certificate === undefined && html` disabled`}><span><strong>Strict</strong><small>${certificate === undefined ? 'this release is not signed' : 'only extensions signed by its certificate are merged'}</small></span></label>
<label class="choice"><input type="radio" name="trust" value="firmware"${certificate === undefined && html` disabled`}><span><strong>Strict, trusted boot</strong><small>the same; the certificate is in the firmware's db</small></span></label>
</fieldset>
<fieldset><legend>Upgrades</legend>
<label class="choice"><input type="checkbox" name="adopt" value="on"><span><strong>Keep the pair that works</strong><small>sextant-node decides: an upgrade goes on trial, and back by itself</small></span></label>
</fieldset>
<details><summary>More</summary>
<label class="field"><span>Address the release is served from</span><input name="url" inputmode="url" spellcheck="false" value="${isAddress(release.address) || isRegistryPlace(release.address) ? release.address : ''}"></label>
<label class="field"><span>Arguments</span><input name="args" spellcheck="false" placeholder="--disable=traefik" aria-describedby="args-help"><small id="args-help">for ${release.distribution}, separated by spaces</small></label>
<label class="field"><span>HTTPS proxy</span><input name="proxy" inputmode="url" spellcheck="false" placeholder="http://proxy.example.org:3128"></label>
<label class="field"><span>Hosts without proxy</span><input name="noProxy" spellcheck="false" placeholder="10.0.0.0/8,.svc,.cluster.local"></label>
</details>
</div>
<div class="result">
<p class="problem" id="problem" role="alert" hidden></p>
<div class="bar"><strong id="file-name">90_sextant.yaml</strong><span class="quiet" id="file-size"></span><button type="button" id="copy-file">Copy</button><button type="button" id="save-file">Download</button></div>
<pre tabindex="0" role="region" aria-label="The activation file"><code id="file"></code></pre>
<p class="quiet" id="said" role="status"></p>
</div>
</form>
`;
}

/** The certificates that a strict node is to trust; undefined where not every image is signed. */
function certificateOf({ certificates }: Catalog, release: CatalogRelease): string | undefined {
  if (!isSigned(release) || release.trust.length === 0) return undefined;
  return release.trust.map((fingerprint) => certificates[fingerprint] ?? '').join('');
}
