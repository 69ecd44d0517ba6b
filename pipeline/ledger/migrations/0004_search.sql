-- Which classes the models found in a part, one row a class: so that parts are found by defect among millions. A part
-- without findings has none.
CREATE TABLE record_classes (
    class        TEXT    NOT NULL,
    verdict      TEXT    NOT NULL,
    triggered_us INTEGER NOT NULL,
    record       INTEGER NOT NULL,     -- row id in `records`
    PRIMARY KEY (class, verdict, triggered_us, record)
) STRICT, WITHOUT ROWID;
INSERT INTO record_classes (class, verdict, triggered_us, record)
    SELECT DISTINCT finding.value ->> '$.class', records.verdict, records.triggered_us, records.id
    FROM records, json_each(records.json, '$.views') AS view, json_each(view.value, '$.findings') AS finding
    WHERE finding.value ->> '$.class' IS NOT NULL;
CREATE TRIGGER record_classes_go AFTER DELETE ON records
BEGIN
    DELETE FROM record_classes
    WHERE verdict = old.verdict AND triggered_us = old.triggered_us AND record = old.id AND class IN (
        SELECT finding.value ->> '$.class'
        FROM json_each(old.json, '$.views') AS view, json_each(view.value, '$.findings') AS finding
    );
END;

-- Words on parts, by when the part was: for those where people and machine disagree.
CREATE INDEX truths_by_time ON truths (triggered_us, part_id);
