"""What each recognizer finds, and what it must leave: a table of both for every identifier."""

from __future__ import annotations

import pytest

from deid.detect import Detector, DetectParams, load_detector
from deid.identifiers import IDENTIFIERS


@pytest.fixture(scope="module")
def patterns() -> Detector:
    return load_detector(DetectParams(ner="none"))


@pytest.fixture(scope="module")
def full() -> Detector:
    return load_detector()


# text with the identifier between guillemets, identifier
FOUND = [
    ("Seen on «03/04/2019» for pain.", "DATE"),
    ("Seen «3-4-19» for pain.", "DATE"),
    ("Charted at «2019-03-04T08:15:00».", "DATE"),
    ("Admitted «2019-03-04», stable.", "DATE"),
    ("On «March 4, 2019» he fell.", "DATE"),
    ("On «Mar. 4th» he fell.", "DATE"),
    ("Stay «March 4-9, 2019» was quiet.", "DATE"),
    ("Seen «4 March 2019» in clinic.", "DATE"),
    ("Seen «04-MAR-2019» in clinic.", "DATE"),
    ("Seen «04MAR19» in clinic.", "DATE"),
    ("Symptoms since «March 2019».", "DATE"),
    ("Symptoms since last «November».", "DATE"),
    ("Echo on «3/14» was normal.", "DATE"),
    ("Stay from «1/29 to 2/6/06» on the ward.", "DATE"),
    ("Extubated «03/14» in the morning.", "DATE"),
    ("Will come back «Tuesday the 4th» at noon.", "DATE"),
    ("Fell on the «fourth of March» at home.", "DATE"),
    ("Fell on «Christmas Eve» at home.", "DATE"),
    ("Discharged on «Thanksgiving Day» to rehab.", "DATE"),
    ("Last seen on «Monday» in clinic.", "DATE"),
    ("DOB: «3/4/31»", "DATE"),
    ("He was born in «1931» at home.", "DATE"),
    ("A «93»-year-old woman.", "AGE"),
    ("Pt is «101 »yo and well.", "AGE"),
    ("Age: «97» years.", "AGE"),
    ("A «ninety-three» year old man.", "AGE"),
    ("She is in her «90s» now.", "AGE"),
    ("This «nonagenarian» lives alone.", "AGE"),
    ("Patient «94» F with cough.", "AGE"),
    # days without a year, first, short, spelled, in small letters
    ("Cyclosporin level «2/17» was low.", "DATE"),
    ("Readmitted; seen «27/8» by surgery.", "DATE"),
    ("Extubated «14.08» at noon.", "DATE"),
    ("Discharged, dated «052319» by the ward.", "DATE"),
    ("Benefit period «4/2/24-7/1/24» applies.", "DATE"),
    ("Date of birth, um, «four seventeen fifty-two», he says.", "DATE"),
    ("has felt worse since «thurs».", "DATE"),
    ("fell at work «sat night» and came in", "DATE"),
    ("Bed free «Sat», needs transport.", "DATE"),
    ("no drink since «thanksgiving» he says", "DATE"),
    ("Born «9 IV 1944», per passport.", "DATE"),
    ("Last tetanus «08/'17» at work.", "DATE"),
    # ages behind a name, a sex, a turn of speech
    ("Ms. «Ottoline Vance, 93», at home.", "AGE"),
    ("At «ninety-two» she still swims.", "AGE"),
    ("VANCE, OTTOLINE   F   «94»   DOB on file", "AGE"),
    ("Resident: Vance   «104» y  F   DOB on file", "AGE"),
    ("He (DOB 12.25.1933, so «90» and fixing watches)", "AGE"),
    # numbers of ambulances, runs, donations, dictation; groups and signs
    ("Brought by ambulance unit «B-31» at noon.", "VEHICLE"),
    ("Taken by «Medic 14» to us.", "VEHICLE"),
    ("Drives a blue Subaru «7XK 221» to work.", "VEHICLE"),
    ("EMS run «24-330127», vitals stable.", "OTHER_ID"),
    ("Unit «W1234 24 567890 K» started.", "OTHER_ID"),
    ("Card shows «RT*552*19» today.", "OTHER_ID"),
    ("Old chart «KB 71-30-44» is in storage.", "OTHER_ID"),
    ("Chart number read as «four four zero nine one».", "OTHER_ID"),
    ("Identified later; came in as «Trauma, Sierra-Nine», unknown age.", "OTHER_ID"),
    ("Peer «QV» left the group early.", "OTHER_ID"),
    ("Wasted 1 mg morphine with «QVB», RN.", "CLINICIAN"),
    ("Spoke with roommate «D.W.» today.", "OTHER_ID"),
    ("Dressing dry.\n«QV»", "OTHER_ID"),
    (
        "2/3  edges clean. QVB\n2/9  healed. «QVB»\nQVB = Quentin V. Bree, RN",
        "OTHER_ID",
    ),
    ("Badge pulled by «qbree.rn» at 0300", "USERNAME"),
    ("Found at the desk: DL «OH QB447102».", "LICENSE"),
    # rooms without the word, chairs, boxes
    ("Moved to «417B» at night.", "UNIT"),
    ("Sat in «recliner 7» for two hours.", "UNIT"),
    ("Taken to «Cath Lab 3» at 0900.", "UNIT"),
    ("Lives in the «upper flat» of the house.", "UNIT"),
    ("Twin B in «C-4» is pink.", "UNIT"),
    # roads without a number, blocks
    ("Fell on «SW Tolliver Ave» this morning.", "STREET"),
    ("Struck on the «1400 block of Tolliver» by a car.", "STREET"),
    ("Sent from «412 tolliver ct», unit 3", "STREET"),
    # houses by ordinary words, in small letters, by their short names
    ("Films from «Prairie Rose Open MRI» reviewed.", "FACILITY"),
    ("Seen at the «Tolliver Creek wellness clinic» before.", "FACILITY"),
    ("Stented at «Barnes-Jewish» last year.", "FACILITY"),
    ("He is followed by the «VA in Tolliver» for this.", "FACILITY"),
    ("Referred to «Hospice of the Upper Valley» today.", "FACILITY"),
    ("Sends labs to «Hospital San Tolliver», she says.", "FACILITY"),
    ("Enrolled by «Center for Family Renewal» staff.", "FACILITY"),
    ("Stacks pallets at «Tolliver Cold Storage» nights.", "EMPLOYER"),
    ("HE WORKS FOR «TOLLIVER FREIGHT» AND LIFTS.", "EMPLOYER"),
    ("Thirty years at «Bath Iron Works», then retired.", "EMPLOYER"),
    # people by where they stand
    ("«TOLLIVER, OTTOLINE» ALLERGY: LATEX", "NAME"),
    ("«TOLLIVER,OTTOLINE V» seen in clinic.", "NAME"),
    ("«Rita Zestril», here for blood pressure.", "NAME"),
    ("NICU: «Baby Girl Tolliver» gained 20 g.", "NAME"),
    ("«Sjogren»'s mother called about the form.", "NAME"),
    # called like a disease or a device: a thing has no initial
    ("«Hodgkin, R.» DLBCL, second cycle today.", "NAME"),
    ("«Kocher A.», drain out, eating.", "NAME"),
    ("«Sheehan, M»: milk is in.", "NAME"),
    ("«Addison T» 44M low sodium.", "NAME"),
    ("Anesthesia: «T. Mallampati». Airway easy.", "NAME"),
    ("Her nana («97») is failing, call back.", "AGE"),
    ("Grandfather, «ninety-three», farmed until then.", "AGE"),
    ("Her mother reached «96» without a pill.", "AGE"),
    ("Her mother (DOB 1927) will be «99» in May.", "AGE"),
    ("«7115» Mrs Ferraiolo 70F on oxygen", "UNIT"),
    ("Job #: 241640\n«CSM/KG»", "OTHER_ID"),
    ("Dictated but not read.\n«PD/39»", "OTHER_ID"),
    ("Stable overnight.\n\n«MLC», APRN, pager 8-5622", "OTHER_ID"),
    # ordinary words where only people stand
    ("Signed out to «Early» at 0700.", "NAME"),
    ("«Frost», 86, slipped on the ice.", "NAME"),
    ("Bed 8 «Stone» - walks well.", "NAME"),
    # drugs and eponyms that act, or stand, as people
    ("«Requip» tripped over the oxygen tubing.", "NAME"),
    ("«Keppra» to MRI 1400 with nurse.", "NAME"),
    ("«Boniva», our rheum fellow, suggests zoledronate.", "NAME"),
    ("Sitter for «Mestinon» until seven.", "NAME"),
    # half a name, half a thing
    ("«Zofran-Nakamura» on day two, eating.", "NAME"),
    ("«Femur-Gonzalez» walks with a frame.", "NAME"),
    ("«Priya Keppra» seizure free.", "NAME"),
    ("«Lasix Nakamura» diuresing well.", "NAME"),
    ("Catheter of «Foley, Priya» drains 300 mL.", "NAME"),
    ("The «Cushing» twins are home.", "NAME"),
    ("Bed 4 is «Homans», no clot on ultrasound.", "NAME"),
    ("Menses «4/30», cramps.", "DATE"),
    ("Total thyroidectomy «10/12».", "DATE"),
    ("Meeting set for «Monday, October\n27». Slept well.", "DATE"),
    ("Seen on «October\n27, 2015» for it.", "DATE"),
    ("Tomorrow w/ Dr. «He»; optimised.", "CLINICIAN"),
    ("Clinical correlation advised.\n--«Pain», MD, FACP", "CLINICIAN"),
    ("/es/ «FENG HE»\nSurgery", "CLINICIAN"),
    ("respite offered, mrs «l» says no", "NAME"),
    ("on the list.\n«DELORES YELLOW HORSE» RN\n", "CLINICIAN"),
    ("juana («94» f, dob", "AGE"),
    ("o. tolliver rn and «k. johnson» slept", "NAME"),
    ("«Vantrexo» cough is better today.", "NAME"),
    ("Mr. «Marcus Gunn» slept well.", "NAME"),
    ("Seen with «Pierre Robin» RN at noon.", "CLINICIAN"),
    ("Call «(617) 555-0182» today.", "PHONE"),
    ("Call «617.555.0182 ext. 12» today.", "PHONE"),
    ("Call «+1-617-555-0182» today.", "PHONE"),
    ("His cell: «6175550182».", "PHONE"),
    ("Reach her at «+44 20 7946 0958» abroad.", "PHONE"),
    ("Pager «31245» if worse.", "PHONE"),
    ("Call ext. «4432» if worse.", "PHONE"),
    ("Fax: «617-555-0199»", "FAX"),
    ("Records faxed to «617-555-0199» today.", "FAX"),
    ("Write to «jane.doe+1@mail.example.org» please.", "EMAIL"),
    ("See «https://portal.example.org/p/123?x=1» for it.", "URL"),
    ("See «www.example.com/abc» for it.", "URL"),
    ("Login from «192.0.2.47» failed.", "IP"),
    ("Login from «2001:db8::1f» failed.", "IP"),
    ("SSN «123-45-6789» on file.", "SSN"),
    ("Social Security number: «123456789».", "SSN"),
    ("Last four of SSN: «6789».", "SSN"),
    ("SSN ending in «6789».", "SSN"),
    ("MRN: «00482913» today", "MRN"),
    ("Medical record number «12-34-56» today", "MRN"),
    ("Chart number «ZX-5158-37» was confirmed.", "MRN"),
    ("Chart «00482913» (MRN) today", "MRN"),
    ("Member ID: «XYZ123456789»", "HEALTH_PLAN"),
    ("Policy number «H-99 120 33» renewed", "HEALTH_PLAN"),
    ("MBI «1EG4-TE5-MK73» noted", "HEALTH_PLAN"),
    ("Account number «AC-61187-137».", "ACCOUNT"),
    ("Accession # «S19-12345» signed out", "ACCOUNT"),
    ("Specimen «SP19-004512» signed out", "ACCOUNT"),
    ("Encounter number: «900123456»", "ACCOUNT"),
    ("NPI: «1234567893»", "LICENSE"),
    ("prescriber «1234567893» called", "LICENSE"),
    ("DEA «AB1234563» on file", "LICENSE"),
    ("Driver's license «S1234567» expired", "LICENSE"),
    ("License #«MD-45821» renewed", "LICENSE"),
    ("VIN «1M8GDM9AXKP042788» of his truck", "VEHICLE"),
    ("License plate «7ABC123» of the car", "VEHICLE"),
    ("Pacemaker serial number «PJN123456S» implanted", "DEVICE"),
    ("UDI «(01)00844588003288(17)141120(21)1234» scanned", "DEVICE"),
    ("Fingerprint ID «FP-88213» enrolled", "BIOMETRIC"),
    ("Username: «jdoe_42»", "USERNAME"),
    ("Entered by «jsmith2» today", "USERNAME"),
    ("His twitter is «@janedoe_xyz» now", "USERNAME"),
    ("Job #: «881234»", "OTHER_ID"),
    ("Study ID «ABC-0042» enrolled", "OTHER_ID"),
    ("End of note.\n«JD/abc»\n", "OTHER_ID"),
    ("Transcribed by: «KLM»\n", "OTHER_ID"),
    ("Lives at «3831 Orchid Crescent», near us.", "STREET"),
    ("Lives at «12 N. Main St., Apt 4B» near us.", "STREET"),
    ("Mail to «P.O. Box 1423» please.", "STREET"),
    ("Home: «991 Rue des Saules», Thistledale, OH 43808", "STREET"),
    ("Comes from «Springfield», Illinois today.", "CITY"),
    ("She lives in «Brumavale» alone.", "CITY"),
    ("Resident of «Cook County» since then.", "COUNTY"),
    ("ZIP «02139» noted", "ZIP"),
    ("From Boston, MA «02139-4307» today", "ZIP"),
    ("Moved to «Room 412B» today.", "UNIT"),
    ("He is in «bed 12» on the ward.", "UNIT"),
    ("Transferred to «Mercy Hospital» today.", "FACILITY"),
    ("Seen at «Pinebriar Children's Clinic» today.", "FACILITY"),
    ("Brought from «St. Mary's Medical Center» today.", "FACILITY"),
    ("Records of «University of Fernborough Hospital» came.", "FACILITY"),
    ("Employer: «Acme Widgets»\n", "EMPLOYER"),
    ("He works as a welder at «Tarnholt Steel» now.", "EMPLOYER"),
    ("Seen by Dr. «Alan Grey» today.", "CLINICIAN"),
    ("Drs. «Alvarez» and Obi agreed.", "CLINICIAN"),
    ("Signed: «Ngozi Adeyemi», MD", "CLINICIAN"),
    ("Dictated by: «Tomas Halvorsen»", "CLINICIAN"),
    ("Attending: «R. Okonkwo»", "CLINICIAN"),
    ("Patient: «Doe, Jane»", "NAME"),
    ("Patient Name: «DOE, JANE A» MRN", "NAME"),
    ("Mr. «White» is well.", "NAME"),
    ("Ms. «Parkinson» is well.", "NAME"),
    ("Her daughter «Maria» called.", "NAME"),
    ("Lives with his wife, «Ingrid».", "NAME"),
    ("The patient, «Étienne Santos», reports sleep.", "NAME"),
    ("Spoke with «García-López» today.", "NAME"),
    ("«Virpi» denies chest pain.", "NAME"),
    ("We met «Edvard Petrussen» outside.", "NAME"),
    ("«Winter» afebrile now, cx ngtd", "NAME"),
    ("«Frost» L 4th toe dusky", "NAME"),
    ("«Banks», platelets 19, no bleeding", "NAME"),
    ("«Wilson» inr 3.8, jaundiced", "NAME"),
    ("Lab called crit K 2.4 on «Rice».", "NAME"),
    ("IV out by «Lane», 4x4 on", "NAME"),
    ("Student («Grant») did the med rec", "NAME"),
    ("Called re «Motrin-Hale»: new confusion", "NAME"),
    ("The wife is «91» herself and he is 88.", "AGE"),
    ("MRI 3/10 neg, ortho f/u on «4/5»", "DATE"),
    ("labs 7/10 stable, echo «8/10» EF 55", "DATE"),
    ("It was a pleasure to see Mr. «Nurse» today.", "NAME"),
    ("Dr. «Fieldstone» will call with the results", "CLINICIAN"),
    ("Had seen Dr. «Y» before.", "CLINICIAN"),
    ("«Mason Ward» is a pleasant, right-handed 80-year-old male who presents with pain.", "NAME"),
    ("ASSESSMENT «Lawrence Walker» is a 62-year-old male with gout.", "NAME"),
    ("«Ward» is a 7-year-old with asthma.", "NAME"),
    ("«Kestrel», a 22-month-old former preterm, is growing.", "NAME"),
    ("Baby «Hope» is a three-week-old girl.", "NAME"),
    ("«Virginia Phillips» was a delightful woman.", "NAME"),
    ("today «mason brooks» is a pleasant 80-year-old male.", "NAME"),
    ("ASSESSMENT\n«LAWRENCE BROOKS» IS A 62-YEAR-OLD MALE WITH GOUT.", "NAME"),
    ("Was well until «7/93», then weak.", "DATE"),
    ("The last dental exam was in «11/07» elsewhere.", "DATE"),
    ("It was biopsied on «04/10» in clinic.", "DATE"),
    ("Asked by Dr «He» re: the biopsy.", "CLINICIAN"),
    ("Flex sig today (Dr. «He»): Mayo 3.", "CLINICIAN"),
    ("Stable. Dr. «You» reviewed the course.", "CLINICIAN"),
    ("DISCHARGED.\nDR. «HE» TO FOLLOW.", "CLINICIAN"),
    ("told mrs «to» how to rinse", "NAME"),
    ("as mr «he» will now fry everything", "NAME"),
    ("He met Mr. «You» there.", "NAME"),
    ("RE: «CAN SEE»  DOB 02-29-1977", "NAME"),
    ("Pt: «Mejia Her, So No»   34M", "NAME"),
    ("Her mother, Agnes Iron Rope, is «93» and lives with her.", "AGE"),
    ("Client: Lindgren, G.  («93»)", "AGE"),
    ("They mourn Youa Thao, who died in April at «93»; slept poorly.", "AGE"),
    ("FHx: MGM «99» alive, PGF d. 71.", "AGE"),
    ("she states I'll be «97» come June", "AGE"),
    ("a white female in «room five twelve» tells me", "UNIT"),
    ("housekeeping: «bed fourteen B» is clean", "UNIT"),
    ("Station «11», run 4 h", "UNIT"),
    ("stays in «tent 6» at the encampment", "UNIT"),
    ("rolled over just S of «CR 702», no belt", "STREET"),
    ("off «FM 1960» past the feed store", "STREET"),
    ("at the corner of «Elm and 5th» again", "STREET"),
    ("mail to «rr 2 box 118»", "STREET"),
    ("at «112 1/2 n main» upstairs", "STREET"),
    ("in the «60614» zip", "ZIP"),
    ("ABI REPEATED AT «ST. ELMO».", "FACILITY"),
    ("sent over from «St. Vs» overnight", "FACILITY"),
    ("accepted by «Elkhorn Slough Post Acute» for rehab", "FACILITY"),
    ("works 2nd shift at the «Hyundae seat plant»", "EMPLOYER"),
    ("retired from the «gaseous diffusion plant»", "EMPLOYER"),
    ("Letter to «Tollefson Barge Line», Leave Administrator", "EMPLOYER"),
    ("INRs: 1/3 2.4, «1/31» 3.6", "DATE"),
    ("Hgb «3/4» 8.1 -> 3/6 7.4", "DATE"),
    ("Combine starts «next Thurs», wants to drive", "DATE"),
    ("back «Thurs AM» for the wound", "DATE"),
    ("due back on «the ninth».", "DATE"),
    ("flushed the day after «Turkey day»", "DATE"),
    ("Blue Shield number «XEA 9 0 2 2 7 1 8 4» period", "OTHER_ID"),
    ("SS# ending «4471»", "SSN"),
    ("Medi-Cal «91234567A»", "HEALTH_PLAN"),
    ("Dexcom transmitter «8G412K»", "DEVICE"),
    ("venmo «@Tre-Jones-9»", "USERNAME"),
    ("platoon sgt of «B Co 2-27 IN» notified", "EMPLOYER"),
    ("MD at «1st Cav Div» called", "EMPLOYER"),
    ("command («HSM-37») told only of the profile", "EMPLOYER"),
    ("boss at «Samjin Semiconductor Taylor plant» keeps calling", "EMPLOYER"),
    ("dad at work («Wheeler motor pool») will come", "EMPLOYER"),
    ("Occ: teacher («Cleveland HS»), 2 kids", "EMPLOYER"),
    ("Former miner («Kerr-Lofgren Mine No. 3», 1961)", "EMPLOYER"),
    ("«cumberland dme» notified of the alarm", "EMPLOYER"),
    ("LETTER\n«Riverbend Recovery OTP» -- dose change", "FACILITY"),
    ("Pharmacy: «Hiron's on 18th»\nVac: 125 mmHg", "FACILITY"),
    ('Rehab Pavilion ("the «Pavilion»") since May', "FACILITY"),
    ("Phyllis at «Rosebud PHN office» was told", "FACILITY"),
    ("seen at the «Brookline satellite» today", "FACILITY"),
    ("found down near «Broad and High», time unknown", "STREET"),
    ("found at crossing of «Hwy 20 and Cherry»", "STREET"),
    ("LOC: «MM 38» US-212, 6 miles out", "STREET"),
    ("6 MI W OF ASHLAND, «ROSEBUD CO»\nPT 1 OF 2", "COUNTY"),
    ("calls daily from «Little Haiti», no answer", "CITY"),
    ("Stay in antepartum «2204» overnight", "UNIT"),
    ("census\n«1110 bed b» = stable on 2l", "UNIT"),
    ("her mother, pancreas at «91», and a brother, 42", "AGE"),
    ("Will see tomorrow, «Sun».", "DATE"),
    ("They went home after «Shabbat».", "DATE"),
    ("2 beers on «Fridays».", "DATE"),
    ("plays cards every other «Sunday»", "DATE"),
    ("report given\n«b. stands» rn", "CLINICIAN"),
    ("LAST: Okoro   FIRST: Ada   MI: «J»   SEX: F", "NAME"),
    ("first name ann last name «two bulls» two words", "NAME"),
    ("patient «o apostrophe s h a u g h» is here", "NAME"),
    ("our chart «17-20-66», seen again", "MRN"),
    ("Call 911, then me «ext 114».", "OTHER_ID"),
    ("hearing aid left serial «two two one eight k» fitted", "OTHER_ID"),
    ("thank you end of dictation «cm slash jt»", "OTHER_ID"),
    ("intensivist, epic «teide1»", "USERNAME"),
    ("FHx: mom d. «92», dad d. 71", "AGE"),
    ("seen «2019 Feb 14» in clinic", "DATE"),
    ("mail to «PO Drawer 9», thanks", "STREET"),
    ("statement mailed to «p.o. box 7665», tyler", "STREET"),
    ("her birthday is «9/10».", "DATE"),
    ("LOUISE SPENCER, «ninety-six» F, acct", "AGE"),
    ("CARDENAS («NINETY-THREE» M, DOB", "AGE"),
    ("Transcriptionist: «jam»\nDocument 8", "OTHER_ID"),
    ("women of her family do not die on «valentines».", "DATE"),
]

LEFT = [
    "Told Dr. He should call.",
    "We spoke to the Dr. He was kind.",
    "MILD MR. HE HAS ASCITES. SEVERE MS. TO START COPAXONE.",
    "mild mr to mod, no as",
    "PT: CAN SEE LIGHT ONLY",
    "Head at 0 station, then +2 station 4 h later.",
    "Rested in bed two hours, room ten degrees too warm.",
    "Creatinine CR 1.2, strength 4/5 5, deltoid 3/5.",
    "The last sat 94% on room air.",
    "ELEVATED AT ST. ELEVATION RESOLVED",
    "Cycle seven of VP-16, mesna and ifosfamide.",
    "The polyp of the transverse colon at 110 cm, then melanoma at 95 mm.",
    "Remaining teeth numbers 2, 3, 4, 5, 7, 8, 9.",
    "He was in the emergency room four months ago.",
    "Numbness of the third. Pain 3/10 today.",
    "Took trazodone HS, knee ext 10, flexion 114.",
    "Prior MI: A stent was placed. IV at 95 mL/h, stroke at 3 am.",
    "Sleeping in the mill of the day, working at the bedside.",
    "Her sister is 5 ft, her son was 89.",
    "febrile (98 f, pulse 80)",
    "Babinski R. upgoing, L. downgoing.",
    "Hodgkin, B symptoms absent.",
    "Hodgkin, Ann Arbor IIA. Marcus Gunn negative.",
    "Dix-Hallpike negative, Child-Pugh B, Latin-American diet.",
    "Lou Gehrig pamphlet given.",
    "Keppra held, Requip to HS, Lipitor, atenolol.",
    "Gilbert, bili 2.1 fasting.\nStill NPO.\nLow K 3.1 replaced.\nRinger lactate 125 mL/h",
    "D/w wife: Parkinson's is not the reason.",
    "Saturday night palsy, wrist drop.",
    "Per diem nurse; Blakemore at bedside.",
    "Stable.\nHEME/ONC\nCounts better.\nRN, MD notified.",
    "Her mother's temperature reached 101, pulse will be 98 in time.",
    "Ativan, Haldol and Benadryl at the bedside.",
    "Weber B. ankle fracture, cast.",
    "Mallampati I. Airway clear.",
    "Wound class I. Foley not used.",
    "Percocet p.r.n. pain, Klonopin q.h.s., Keppra b.i.d.",
    "Strength 5/5 in all extremities.",
    "There is a 2/6 systolic murmur; he stepped on 3/4 inch boards, last 2/3 days.",
    "Pain 7/10 today, was 3/10.",
    "Norco 5 one tab given 2215 for 7/10 hip, recheck 3/10.",
    "7/10 -> 3/10 after oxy 5; 4/5 hip flex, 3+/5 DF.",
    "1/2 siblings w/ asthma; 5/7 nights; CIWA-Ar 8/12/15; Humalog 8/8/10; 8/2 bup/nlx",
    "a dual-chamber DR MRI pacemaker, DR ICD next year.",
    "moved to the Surgical Intensive Care Unit, then to Physical Therapy Clinic",
    "BP 120/80, HR 72, RR 16, T 98.6, SpO2 97% on room air.",
    "Drinks 11-26 drinks a month.",
    "An 89-year-old man; a 54 yo woman; aged 12 months.",
    "Sats in the low 90s, glucose in the 100s.",
    "Study PMID 31234567 was published in 2020.",
    "Lewy body dementia, Parkinson disease and Graves disease were discussed; Murphy sign was negative.",
    "Glasgow coma scale 15; Mini-Mental State Examination score 28/30; Tanner stage 3.",
    "Echo: LA enlargement, LV normal, RV normal.",
    "Lisinopril 10 mg daily, metformin 500 mg twice daily, Lovenox 40 mg.",
    "Na 138, K 4.2, Cl 101, CO2 24, BUN 12, Cr 0.9, WBC 8.1, Hgb 13.2, Plt 250.",
    "ASSESSMENT AND PLAN:\nContinue current medications.",
    "L4-L5 disc herniation; T12 fracture; C5/6 stenosis.",
    "Take 25 mg twice daily for 14 days; return after six weeks.",
    "Dose reduced from 10 to 5 mg over 3 months; follow-up interval is 90 days.",
    "Lives in Texas; born in Mexico; may march with a cane.",
    "Referred to Pain Clinic; seen in the Emergency Department and Wound Clinic.",
    "Received 100 mL saline at 08:30 over 1-2 hours.",
    "Taken to operating room #2; patient on room air; bed rest 3 days.",
    "Family history includes Alzheimer disease in her mother, father well.",
    "NYHA class III, ASA 2, ECOG 1, stage IIIB, grade 3.",
    "Nonsmoker. Denies alcohol. Married. Works full time.",
    "ICD-10 E11.9, CPT 99213, NDC 0378-1805-10.",
    "Austin Flint murmur; Braxton Hicks contractions; Wolff-Parkinson-White; McBurney point tender; Tay-Sachs carrier.",
    "Hodgkin lymphoma, Ann Arbor IIA. Born in Jordan, traveled to Chad.",
    "12/12 cranial nerves intact; 1/2 NS at 75; pain 10/10 to 2/10; hydrocortisone 15/5.",
    "Dialysis Tue/Thu/Sat; warfarin every Monday and Thursday; Mondays off.",
    "Christmas tree pattern; Christmas disease; Mayo stand; CVS: regular; T4N1M0.",
    "OR 2.3 (1.1-4.0); ICU 3 days; obs 6 hours; cell 12; POD 3.",
    "Platelets 250000, colony count 100000 cfu; NPO\nDNR",
    "Patient is a 61-year-old woman. Mother is a 40-year-old nurse. Twin B is a two-week-old boy. He was a smoker.",
    "This is a 4-year-old boy; Today, a 5-year-old girl; Client is a 68-year-old man.",
    "the wound is a 3-week-old one; PATIENT IS A 61-YEAR-OLD WOMAN; the growth, a 2-year-old lesion",
    "Strength 4/5 in 4/5 muscles; found in 7/93 patients.",
]


def split(marked: str) -> tuple[str, int, int]:
    start = marked.index("«")
    end = marked.index("»") - 1
    return marked.replace("«", "").replace("»", ""), start, end


@pytest.mark.parametrize(("marked", "identifier"), FOUND)
def test_identifier_is_found_whole_and_in_its_class(patterns: Detector, marked: str, identifier: str) -> None:
    text, start, end = split(marked)
    spans = patterns.detect([text])[0]
    masked = {i for s in spans for i in range(s.start, s.end)}
    missed = [i for i in range(start, end) if text[i].isalnum() and i not in masked]
    assert not missed, (spans, text[start:end])
    assert identifier in {s.identifier for s in spans if s.start < end and start < s.end}


@pytest.mark.parametrize("text", LEFT)
def test_harmless_text_is_left(full: Detector, text: str) -> None:
    assert [(text[s.start : s.end], s.recognizer) for s in full.detect([text])[0]] == []


def test_every_identifier_has_a_positive_example() -> None:
    assert {identifier for _, identifier in FOUND} == set(IDENTIFIERS)


@pytest.mark.parametrize("name", ["ROSE", "SAM", "KIM"])
def test_a_titled_name_that_is_an_abbreviation_too_is_a_person(full: Detector, name: str) -> None:
    text = f"MS. {name}, AGE 40, SLEPT WELL. MOTHER: {name}."
    assert [text[s.start : s.end] for s in full.detect([text])[0]] == [name, name]


@pytest.mark.parametrize("text", ["Father MI at 71.", "MILD MR. LVEF 55 PERCENT.", "Mother DM2, brother CAD."])
def test_shorthand_behind_a_relative_or_a_title_is_no_name(full: Detector, text: str) -> None:
    assert full.detect([text])[0] == []


def test_model_finds_names_without_any_sign(full: Detector) -> None:
    text = "After lunch Jennifer Anderson walked the corridor without help."
    (span,) = full.detect([text])[0]
    assert text[span.start : span.end] == "Jennifer Anderson"
    assert span.identifier in ("NAME", "CLINICIAN")  # who walks the corridor may be either


@pytest.mark.parametrize("name", ["Virginia", "Georgia", "Israel", "Jordan"])
def test_name_of_a_land_is_a_person_where_people_stand(full: Detector, name: str) -> None:
    text = f"Spoke to {name} after rounds."
    assert [text[s.start : s.end] for s in full.detect([text])[0]] == [name]


def test_name_found_once_is_found_everywhere_in_the_note(patterns: Detector) -> None:
    text = "Patient: Gonzalez, Maria\nToday Maria slept. GONZALEZ ate well. Gonzalez's wound is dry."
    spans = patterns.detect([text])[0]
    masked = "".join("#" if any(s.start <= i < s.end for s in spans) else c for i, c in enumerate(text))
    assert "aria" not in masked
    assert "onzalez" not in masked.lower()


def test_a_word_that_is_somebodys_name_is_that_somebody_where_people_act(patterns: Detector) -> None:
    text = "Hope Bell is a 19-year-old student. Hope was tearful. Bell may work. She has hope. The bell rang."
    spans = patterns.detect([text])[0]
    assert [text[s.start : s.end] for s in spans] == ["Hope Bell", "Hope", "Bell"]


def test_linking_leaves_common_words_and_longer_words_alone(patterns: Detector) -> None:
    text = "Patient: Rose Mayberry\nThe rose was red. Rose petals fell. Roseola excluded. May return. Mayberryite is a mineral."
    spans = patterns.detect([text])[0]
    assert [text[s.start : s.end] for s in spans] == ["Rose Mayberry"]


def test_linking_leaves_eponyms_alone(patterns: Detector) -> None:
    text = "Seen by Dr. Whipplestone. Whipplestone procedure was planned; then Whipplestone left."
    spans = patterns.detect([text])[0]
    assert len(spans) == 2


def test_name_of_one_note_is_found_in_the_other_notes_of_the_patient_only(patterns: Detector) -> None:
    texts = ["Patient: Ingrid Tarnholt", "Dressing of Tarnholt is dry.", "Dressing of Tarnholt is dry."]
    spans = patterns.detect(texts, patients=["p1", "p1", "p2"])
    assert [len(s) for s in spans] == [1, 1, 0]


def test_number_of_a_fax_machine_is_not_a_telephone(patterns: Detector) -> None:
    text = "Phone 617-555-0182, fax 617-555-0199"
    assert [s.identifier for s in patterns.detect([text])[0]] == ["PHONE", "FAX"]


def test_birth_year_is_told_from_other_years(patterns: Detector) -> None:
    (span,) = patterns.detect(["DOB 3/4/1931"])[0]
    assert span.recognizer == "dates.birth"
