/**
 * Names in the Salesforce source that lead nowhere: a field in a layout, a class in a permission set, a column in a report, an Apex method in a
 * component; and rights that lack another they depend on. An org would refuse the whole deployment over one of them. Names that an org brings itself are not judged.
 */
import { objectsOfLwc } from './lwc-references.ts';
import { type CheckResult, childrenOf, deepOf, shown, textOf, textsOf, type XmlElement } from './metadata-xml.ts';
import { missingPermissions } from './permission-dependencies.ts';
import { objectOf, readInventory, reportName, type SourceFile, type SourceInventory } from './source-inventory.ts';

/** Fields every custom object has, as layouts, compact layouts and report types name them. */
const standardFields = new Set([
  ...['Id', 'Name', 'Owner', 'OwnerId', 'CreatedBy', 'CreatedById', 'CreatedDate'],
  ...['LastModifiedBy', 'LastModifiedById', 'LastModifiedDate'],
]);
/** The same in list views and search layouts. */
const listFields = new Set([
  ...['NAME', 'OWNER.ALIAS', 'OWNER.FIRST_NAME', 'OWNER.LAST_NAME', 'CREATED_DATE', 'CREATEDBY_USER', 'LAST_UPDATE'],
  'UPDATEDBY_USER',
]);

/** Checks the references inside `force-app/main` of the project at `root`. */
export function checkReferences(root: string): CheckResult {
  const source = readInventory(root);
  const failures = [
    ...objects(source),
    ...layouts(source),
    ...permissionSets(source),
    ...reports(source),
    ...pages(source),
    ...objectsOfLwc(source),
  ];
  return {
    name: 'salesforce references',
    detail: `${[...source.fields.values()].reduce((sum, fields) => sum + fields.size, 0)} custom fields`,
    failures: failures.map(([path, text]) => `${shown(root, path)}: ${text}`),
  };
}

type Failure = readonly [path: string, text: string];

/** Lists, search and compact layouts of our objects. */
function objects(source: SourceInventory): readonly Failure[] {
  const failures: Failure[] = [];
  const listed = (path: string, names: readonly string[]) => {
    const fields = source.fields.get(objectOf(path));
    for (const name of names)
      if (fields !== undefined && !fields.has(name) && !listFields.has(name))
        failures.push([path, `${name} is no field of ${objectOf(path)}`]);
  };
  for (const { path, xml } of source.of('ListView'))
    listed(path, [...textsOf(xml, 'columns'), ...childrenOf(xml, 'filters').map((filter) => textOf(filter, 'field'))]);
  for (const { path, name, xml } of source.of('CustomObject')) {
    const fields = source.fields.get(name);
    for (const layout of childrenOf(xml, 'searchLayouts'))
      for (const field of layout.children)
        if (field.name.endsWith('Fields') && fields?.has(field.text) === false && !listFields.has(field.text))
          failures.push([path, `searchLayouts: ${field.text} is no field of ${name}`]);
    const compact = textOf(xml, 'compactLayoutAssignment');
    if (compact !== '' && !source.has('CompactLayout', compact))
      failures.push([path, `compactLayoutAssignment: there is no compact layout ${compact}`]);
  }
  for (const { path, xml } of source.of('CompactLayout'))
    for (const name of textsOf(xml, 'fields'))
      if (!isField(source, objectOf(path), name)) failures.push([path, `${name} is no field of ${objectOf(path)}`]);
  return failures;
}

function layouts(source: SourceInventory): readonly Failure[] {
  return source.of('Layout').flatMap((file): Failure[] => {
    const object = file.name.slice(0, file.name.indexOf('-'));
    const shownFields = deepOf(file.xml, 'layoutItems').map((item) => textOf(item, 'field'));
    const unknown = shownFields.filter((name) => name !== '' && !isField(source, object, name));
    const missing = [...(source.fields.get(object) ?? [])].filter(
      ([name, facts]) => facts.required && !shownFields.includes(name),
    );
    return [
      ...unknown.map((name): Failure => [file.path, `${name} is no field of ${object}`]),
      ...missing.map(([name]): Failure => [file.path, `${name} is required and stands in no section`]),
    ];
  });
}

/** The elements of a permission set that name a component of ours, and the type they name. */
const grants = [
  ['classAccesses', 'apexClass', 'ApexClass'],
  ['applicationVisibilities', 'application', 'CustomApplication'],
  ['customPermissions', 'name', 'CustomPermission'],
  ['tabSettings', 'tab', 'CustomTab'],
] as const;

function permissionSets(source: SourceInventory): readonly Failure[] {
  return source.of('PermissionSet').flatMap(({ path, xml }): Failure[] => {
    const failures: Failure[] = [];
    for (const [element, key, type] of grants)
      for (const name of childrenOf(xml, element).map((grant) => textOf(grant, key)))
        if (!name.startsWith('standard-') && !source.has(type, name))
          failures.push([path, `${element}: there is no ${type} ${name}`]);
    for (const missing of missingPermissions(xml)) failures.push([path, missing]);
    if (textOf(xml, 'description').length > 255) failures.push([path, 'description: longer than 255 characters']);
    const granted = new Map<string, XmlElement>();
    for (const grant of childrenOf(xml, 'fieldPermissions')) granted.set(textOf(grant, 'field'), grant);
    for (const [name, grant] of granted) failures.push(...fieldGrant(source, path, name, grant));
    for (const grant of childrenOf(xml, 'objectPermissions')) {
      const object = textOf(grant, 'object');
      if (object.endsWith('__c') && !source.fields.has(object))
        failures.push([path, `objectPermissions: there is no object ${object}`]);
      for (const [field, facts] of source.fields.get(object) ?? [])
        if (!facts.required && !granted.has(`${object}.${field}`))
          failures.push([
            path,
            `it reads ${object} and says nothing about ${field}: nobody with this set would see it`,
          ]);
    }
    return failures;
  });
}

function fieldGrant(source: SourceInventory, path: string, name: string, grant: XmlElement): readonly Failure[] {
  const [object = '', field = ''] = name.split('.');
  const fields = source.fields.get(object);
  if (fields === undefined) return object.endsWith('__c') ? [[path, `${name}: there is no object ${object}`]] : [];
  const facts = fields.get(field);
  if (facts === undefined) return [[path, `${name}: there is no such field`]];
  if (facts.required) return [[path, `${name}: Salesforce takes no permission for a required field`]];
  if (facts.formula && textOf(grant, 'editable') === 'true') return [[path, `${name}: a formula can't be editable`]];
  return [];
}

/** Custom report types, and reports that stand on them. */
function reports(source: SourceInventory): readonly Failure[] {
  const columnsOf = new Map<string, ReadonlySet<string>>();
  const failures: Failure[] = [];
  for (const { path, name, xml } of source.of('ReportType')) {
    const columns = deepOf(xml, 'columns').map((column) => [textOf(column, 'table'), textOf(column, 'field')] as const);
    for (const [table, field] of columns)
      if (source.fields.has(table) && !isField(source, table, field))
        failures.push([path, `${field} is no field of ${table}`]);
    if (textOf(xml, 'baseObject').endsWith('__c') && !source.fields.has(textOf(xml, 'baseObject')))
      failures.push([path, `there is no object ${textOf(xml, 'baseObject')}`]);
    columnsOf.set(`${name}__c`, new Set(columns.map(([table, field]) => `${table}$${field}`)));
  }
  for (const file of source.of('Report')) failures.push(...reportFailures(file, columnsOf));
  for (const file of source.of('Dashboard'))
    for (const name of deepOf(file.xml, 'report').map((report) => report.text))
      if (!source.of('Report').some((report) => reportName(report) === name))
        failures.push([file.path, `there is no report ${name}`]);
  return failures;
}

function reportFailures(file: SourceFile, columnsOf: ReadonlyMap<string, ReadonlySet<string>>): readonly Failure[] {
  const type = textOf(file.xml, 'reportType');
  const columns = columnsOf.get(type);
  if (columns === undefined) return [[file.path, `there is no report type ${type}`]];
  const used = [
    ...['columns', 'groupingsDown', 'groupingsAcross'].flatMap((name) =>
      childrenOf(file.xml, name).map((element) => textOf(element, 'field')),
    ),
    ...deepOf(file.xml, 'criteriaItems').map((element) => textOf(element, 'column')),
    ...deepOf(file.xml, 'dateColumn').map((element) => element.text),
    ...textsOf(file.xml, 'sortColumn'),
  ];
  return used
    .filter((name) => !columns.has(name))
    .map((name): Failure => [file.path, `${name} is no column of the report type ${type}`]);
}

/** Pages, tabs and apps. */
function pages(source: SourceInventory): readonly Failure[] {
  const failures: Failure[] = [];
  for (const { path, xml } of source.of('FlexiPage'))
    for (const name of deepOf(xml, 'componentName').map((element) => element.text))
      if (!name.includes(':') && !source.components.has(name)) failures.push([path, `there is no component ${name}`]);
  for (const { path, name, xml } of source.of('CustomTab')) {
    const page = textOf(xml, 'flexiPage');
    const component = textOf(xml, 'lwcComponent');
    if (page !== '' && !source.has('FlexiPage', page)) failures.push([path, `there is no page ${page}`]);
    if (component !== '' && !source.components.has(component)) failures.push([path, `no component ${component}`]);
    if (textOf(xml, 'customObject') === 'true' && !source.fields.has(name))
      failures.push([path, `there is no object ${name}`]);
  }
  for (const { path, xml } of source.of('CustomApplication')) {
    const bar = textOf(xml, 'utilityBar');
    if (bar !== '' && !source.has('FlexiPage', bar)) failures.push([path, `there is no utility bar ${bar}`]);
    for (const tab of [...textsOf(xml, 'tabs'), ...deepOf(xml, 'tab').map((element) => element.text)])
      if (!tab.startsWith('standard-') && !source.has('CustomTab', tab))
        failures.push([path, `there is no tab ${tab}`]);
  }
  return failures;
}

function isField(source: SourceInventory, object: string, name: string): boolean {
  const fields = source.fields.get(object);
  return fields === undefined || fields.has(name) || standardFields.has(name);
}
