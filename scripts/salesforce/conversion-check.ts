/**
 * Converts the source the way `sf project deploy` does, with Salesforce's own library, into a folder that is thrown away; and finds files
 * that belong to no component and would silently stay behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sdr, { type SourceComponent } from '@salesforce/source-deploy-retrieve';
import { type CheckResult, filesBelow, shown, sourceFiles } from './metadata-xml.ts';

/** Converts `force-app/main` of the project at `root`. */
export async function checkConversion(root: string): Promise<CheckResult> {
  const name = 'salesforce source conversion';
  const outputDirectory = mkdtempSync(join(tmpdir(), 'patchcord-convert-'));
  try {
    const source = sdr.ComponentSet.fromSource(join(root, 'force-app', 'main'));
    const components = source.getSourceComponents().toArray();
    await new sdr.MetadataConverter().convert(source, 'metadata', {
      type: 'directory',
      outputDirectory,
      genUniqueDir: false,
    });
    const owned = new Set(components.flatMap((component) => filesOf(component)));
    const failures = sourceFiles(root)
      .filter((path) => !owned.has(path))
      .map((path) => `${shown(root, path)}: belongs to no component, it would not be deployed`);
    if (!filesBelow(outputDirectory).some((path) => path.endsWith('package.xml')))
      failures.push('the conversion wrote no package.xml');
    return { name, detail: `${components.length} components`, failures };
  } catch (error) {
    return { name, detail: '', failures: [error instanceof Error ? error.message : String(error)] };
  } finally {
    rmSync(outputDirectory, { recursive: true, force: true });
  }
}

/** Every file of one component: definition, content, parts, and for a bundle its whole folder. */
function filesOf(component: SourceComponent): readonly string[] {
  const { xml, content } = component;
  const bundle = component.type.strategies?.adapter === 'bundle' && content !== undefined;
  return [
    ...[xml, content].filter((path) => path !== undefined),
    ...component.walkContent(),
    ...component.getChildren().flatMap((child) => (child.xml === undefined ? [] : [child.xml])),
    ...(bundle ? filesBelow(content.endsWith('.js') ? dirname(content) : content) : []),
  ];
}
